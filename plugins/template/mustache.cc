/* The one file that knows the library, which is C++: nothing of it, exceptions
 * least of all, goes beyond here. */
#include "mustache.h"

#include <kainjow/mustache.hpp>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <string>

namespace
{

using kainjow::mustache::data;

/* Looks names up as the library does, but for partials: a value is never taken
 * for a template, and so cannot include itself. */
class values : public kainjow::mustache::context<std::string>
{
	using kainjow::mustache::context<std::string>::context;

	const data *get_partial(const std::string &) const override
	{
		return nullptr;
	}
};

data convert(const json_t *from)
{
	json_t *json = const_cast<json_t *>(from), *value;
	char number[64];
	const char *key;
	size_t i;

	switch (json_typeof(json)) {
	case JSON_OBJECT: {
		data object{ data::type::object };

		json_object_foreach(json, key, value)
			object.set(key, convert(value));
		return object;
	}
	case JSON_ARRAY: {
		data list{ data::type::list };

		json_array_foreach(json, i, value)
			list.push_back(convert(value));
		return list;
	}
	case JSON_STRING:
		return std::string(json_string_value(json),
		                   json_string_length(json));
	case JSON_INTEGER:
		return std::to_string(json_integer_value(json));
	case JSON_REAL:
		std::snprintf(number, sizeof number, "%.17g",
		              json_real_value(json));
		return std::string(number);
	case JSON_TRUE:
		return data::type::bool_true;
	default:
		return data::type::bool_false;
	}
}

int fail(struct mu_err *err, int code, const char *text)
{
	err->code = code;
	std::snprintf(err->msg, sizeof err->msg, "%s", text);
	return code;
}

int render(const std::string &text, const json_t *json, char **out,
           size_t *out_len, struct mu_err *err)
{
	kainjow::mustache::mustache view{ text };
	const data root = convert(json);
	values names{ &root };

	if (!view.is_valid())
		return fail(err, MU_EDATA, view.error_message().c_str());
	view.set_custom_escape([](const std::string &s) { return s; });
	const std::string result = view.render(names);
	if (!view.is_valid())
		return fail(err, MU_EDATA, view.error_message().c_str());
	*out = static_cast<char *>(std::malloc(result.size() + 1));
	if (!*out)
		return fail(err, MU_ENOMEM, "out of memory");
	std::memcpy(*out, result.c_str(), result.size() + 1);
	*out_len = result.size();
	return 0;
}

} // namespace

int mustache_render(const char *text, size_t len, const json_t *data,
                    char **out, size_t *out_len, struct mu_err *err)
{
	try {
		return render(std::string(text, len), data, out, out_len, err);
	} catch (const std::bad_alloc &) {
		return fail(err, MU_ENOMEM, "out of memory");
	} catch (const std::exception &e) {
		return fail(err, MU_EDATA, e.what());
	}
}
