// A method that does nothing, bound by pybind11.
#include <pybind11/pybind11.h>

namespace {
struct Floor {
	void o(pybind11::handle) {}
};
}

PYBIND11_MODULE(method_pybind11, m)
{
	pybind11::class_<Floor>(m, "Floor").def(pybind11::init<>()).def("o", &Floor::o);
}
