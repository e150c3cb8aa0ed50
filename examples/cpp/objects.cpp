// Owners and exceptions: cgroups that are removed, one that is in use, none that is left.

#include <iomanip>
#include <iostream>

#include "slabcore.hpp"

using slabcore::kernel;

// How long a cgroup with twenty caches of its own is there after it was removed.
static double dying_ms(const std::string &design)
{
    kernel kernel(design, {"machine.cpus=2"});
    auto web = kernel.mkdir("/web");
    for (int i = 0; i < 20; i++) {
        auto cache =
            kernel.create_cache("cache-" + std::to_string(i), 192, SLABCORE_ACCOUNTED);
        kernel.alloc(cache, web, 100);
        kernel.drain();     // a kworker makes the cgroup's own cache
        kernel.free(cache, web, 100);
    }
    kernel.rmdir(web);
    const auto removed = kernel.now_ns();
    while (kernel.counter("cgroups.dying") != 0)
        kernel.advance_to(kernel.next_event_ns());
    return (kernel.now_ns() - removed) / 1e6;
}

static void in_use()
{
    kernel kernel("4.11");
    auto web = kernel.mkdir("/web");
    auto app = kernel.mkdir("/web/app");
    try {
        kernel.rmdir(web);
    } catch (const slabcore::error &error) {
        std::cout << error.what() << "\n";
    }
    kernel.rmdir(app);
    kernel.rmdir(web);
    kernel.drain();
    std::cout << "cgroups left: " << kernel.counter("cgroups.live") << "\n";
}

// An exception leaves the block: its kernel and its file are freed on the way.
static void thrown()
{
    slabcore_kernel *inside = nullptr;
    try {
        kernel kernel("4.9");
        kernel.create_cache("dentry", 192);
        auto file = kernel.open("/proc/slabinfo");
        inside = kernel.get();
        std::cout << "a file of " << file.read().size() << " bytes\n";
        kernel.open("/proc/meminfo");
    } catch (const slabcore::error &error) {
        std::cout << error.what() << "\n";
    }
    if (slabcore_drain(inside) == SLABCORE_ESTALE)
        std::cout << "the kernel: " << slabcore_last_error() << "\n";
}

static void listed()
{
    slabcore::list sizes;
    for (auto size : {192, 600, 1024})
        sizes.add(size);
    auto moved = std::move(sizes);
    moved.remove(moved.add(968));
    std::cout << "sizes:";
    moved.each([](std::int64_t size) { std::cout << " " << size; });
    std::cout << "\n";
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        std::cerr << "usage: objects PYTHON\n";
        return 2;
    }
    try {
        slabcore::python python(argv[1]);
        std::cout << std::fixed << std::setprecision(1);
        for (auto design : {"4.8", "4.9", "4.11"})
            std::cout << design << ": dying for " << dying_ms(design) << " ms\n";
        in_use();
        thrown();
        listed();
    } catch (const std::exception &error) {
        std::cerr << "objects: " << error.what() << "\n";
        return 1;
    }
}
