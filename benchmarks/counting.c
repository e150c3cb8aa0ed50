/* An extension module by which a Python program that runs under callgrind says what is
 * to be counted: all from start() to stop(), which writes the count into a file of its
 * own. Outside of valgrind both do nothing. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <valgrind/callgrind.h>

static PyObject *start(PyObject *module, PyObject *none)
{
	(void)module, (void)none;
	CALLGRIND_START_INSTRUMENTATION;
	CALLGRIND_ZERO_STATS;
	Py_RETURN_NONE;
}

static PyObject *stop(PyObject *module, PyObject *none)
{
	(void)module, (void)none;
	CALLGRIND_DUMP_STATS;
	CALLGRIND_STOP_INSTRUMENTATION;
	Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
	{ "start", start, METH_NOARGS, "Count from here." },
	{ "stop", stop, METH_NOARGS, "Count up to here." },
	{ 0 },
};

static struct PyModuleDef definition = {
	PyModuleDef_HEAD_INIT, .m_name = "counting", .m_size = 0, .m_methods = methods
};

PyMODINIT_FUNC PyInit_counting(void)
{
	return PyModule_Create(&definition);
}
