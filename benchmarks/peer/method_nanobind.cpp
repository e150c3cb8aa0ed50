// A method that does nothing, bound by nanobind.
#include <nanobind/nanobind.h>

namespace {
struct Floor {
	void o(nanobind::handle) {}
};
}

NB_MODULE(method_nanobind, m)
{
	nanobind::class_<Floor>(m, "Floor").def(nanobind::init<>()).def("o", &Floor::o);
}
