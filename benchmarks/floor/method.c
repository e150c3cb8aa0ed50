/* An extension type with a method that does nothing: what a call from Python costs. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

static PyObject *nothing(PyObject *self, PyObject *argument)
{
	(void)self;
	(void)argument;
	Py_RETURN_NONE;
}

/* An int that is none of those the interpreter keeps ready. */
static PyObject *another(PyObject *self, PyObject *argument)
{
	(void)self;
	(void)argument;
	return PyLong_FromLong(100000);
}

static PyMethodDef methods[] = {
	{ "o", nothing, METH_O, "Take one argument, return None." },
	{ "another", another, METH_O, "Take one argument, return an int that is made." },
	{ "noargs", nothing, METH_NOARGS, "Take no argument, return None." },
	{ NULL, NULL, 0, NULL },
};

static PyTypeObject floor_type = {
	PyVarObject_HEAD_INIT(NULL, 0)
	.tp_name = "method.Floor",
	.tp_basicsize = sizeof(PyObject),
	.tp_flags = Py_TPFLAGS_DEFAULT,
	.tp_new = PyType_GenericNew,
	.tp_methods = methods,
};

static struct PyModuleDef module = {
	PyModuleDef_HEAD_INIT, .m_name = "method", .m_size = -1,
};

PyMODINIT_FUNC PyInit_method(void)
{
	PyObject *m;
	if (PyType_Ready(&floor_type) < 0)
		return NULL;
	m = PyModule_Create(&module);
	if (m != NULL && PyModule_AddObjectRef(m, "Floor", (PyObject *)&floor_type) < 0)
		Py_CLEAR(m);
	return m;
}
