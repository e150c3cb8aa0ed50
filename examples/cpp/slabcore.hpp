// slabcore.h with owners and exceptions.
//
// An owner frees what it owns when it goes, and is moved, not copied. Whatever slabcore
// refuses is thrown as slabcore::error, with its code and its text.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "slabcore.h"

namespace slabcore {

class error : public std::runtime_error {
public:
    explicit error(int code) : std::runtime_error(slabcore_last_error()), code(code) {}
    const int code;
};

inline void check(int code)
{
    if (code != SLABCORE_OK)
        throw error(code);
}

// What one handle names, freed at the end.
template <typename Handle, int (*Free)(Handle *)>
class owner {
public:
    owner(owner &&other) noexcept : handle(std::exchange(other.handle, nullptr)) {}
    owner &operator=(owner &&other) noexcept
    {
        std::swap(handle, other.handle);
        return *this;
    }
    ~owner()
    {
        if (handle != nullptr)
            Free(handle);
    }
    Handle *get() const { return handle; }

protected:
    owner() = default;
    Handle *handle = nullptr;
};

// The functions are pointers that slabcore_import() finds, so no template takes them.
inline int free_kernel(slabcore_kernel *kernel) { return slabcore_kernel_free(kernel); }
inline int free_file(slabcore_file *file) { return slabcore_close(file); }
inline int free_list(slabcore_list *list) { return slabcore_list_free(list); }

class file : public owner<slabcore_file, free_file> {
public:
    file(slabcore_kernel *kernel, const std::string &path, int flags = 0)
    {
        check(slabcore_open(kernel, path.c_str(), flags, &handle));
    }

    // What is left, in reads of so many bytes.
    std::string read(std::size_t size = 8192)
    {
        std::string text;
        std::vector<char> chunk(size);
        do {
            check(slabcore_read(handle, chunk.data(), chunk.size(), &size));
            text.append(chunk.data(), size);
        } while (size != 0);
        return text;
    }
};

class kernel : public owner<slabcore_kernel, free_kernel> {
public:
    explicit kernel(const std::string &design, std::vector<const char *> settings = {})
    {
        settings.push_back(nullptr);
        check(slabcore_kernel_new(design.c_str(), settings.data(), &handle));
    }

    slabcore_cache create_cache(const std::string &name, std::int64_t size, int flags = 0)
    {
        slabcore_cache cache;
        check(slabcore_create_cache(handle, name.c_str(), size, flags, &cache));
        return cache;
    }

    slabcore_memcg mkdir(const std::string &path)
    {
        slabcore_memcg memcg;
        check(slabcore_mkdir(handle, path.c_str(), &memcg));
        return memcg;
    }

    void rmdir(slabcore_memcg memcg) { check(slabcore_rmdir(handle, memcg)); }

    void alloc(slabcore_cache cache, slabcore_memcg memcg, std::int64_t count = 1)
    {
        check(slabcore_alloc(handle, cache, memcg, count));
    }

    void free(slabcore_cache cache, slabcore_memcg memcg, std::int64_t count = 1)
    {
        check(slabcore_free(handle, cache, memcg, count));
    }

    std::int64_t now_ns() const
    {
        std::int64_t now;
        check(slabcore_now_ns(handle, &now));
        return now;
    }

    std::int64_t next_event_ns() const
    {
        std::int64_t event;
        check(slabcore_next_event_ns(handle, &event));
        return event;
    }

    void advance_to(std::int64_t when) { check(slabcore_advance_to(handle, when)); }
    void drain() { check(slabcore_drain(handle)); }

    std::int64_t counter(const std::string &name) const
    {
        std::int64_t value;
        check(slabcore_counter(handle, name.c_str(), &value));
        return value;
    }

    file open(const std::string &path) { return file(handle, path); }
};

class list : public owner<slabcore_list, free_list> {
public:
    list() { check(slabcore_list_new(nullptr, &handle)); }

    std::int64_t add(std::int64_t value)
    {
        std::int64_t entry;
        check(slabcore_list_add(handle, value, &entry));
        return entry;
    }

    void remove(std::int64_t entry) { check(slabcore_list_remove(handle, entry)); }

    // Call something with the value of each entry, from the first on.
    template <typename Function>
    void each(Function function) const
    {
        std::int64_t entry, value;
        check(slabcore_list_first(handle, &entry));
        while (entry != SLABCORE_NONE) {
            check(slabcore_list_value(handle, entry, &value));
            function(value);
            check(slabcore_list_next(handle, entry, &entry));
        }
    }
};

// Python in this program, as the interpreter that slabcore is installed for.
class python {
public:
    explicit python(const char *executable)
    {
        PyConfig config;
        PyConfig_InitIsolatedConfig(&config);
        PyStatus status =
            PyConfig_SetBytesString(&config, &config.executable, executable);
        if (!PyStatus_Exception(status))
            status = Py_InitializeFromConfig(&config);
        PyConfig_Clear(&config);
        if (PyStatus_Exception(status))
            throw std::runtime_error(status.err_msg);
        if (slabcore_import() < 0) {
            PyErr_Print();
            throw std::runtime_error("slabcore cannot be imported");
        }
    }
    python(const python &) = delete;
    ~python() { Py_FinalizeEx(); }
};

}  // namespace slabcore
