#include "config_value.h"

#include <math.h>

#include "base/json.h"

int config_value_bad(struct error *err, const char *name, double value)
{
    return error_set(err, ERROR_FORMAT, "%s is %g", name, value);
}

int config_value_number(const cJSON *config, const char *name, double fallback, double min,
                        double *out, struct error *err)
{
    const cJSON *member = json_find(config, name);

    *out = fallback;
    if (!member)
        return 0;
    if (!cJSON_IsNumber(member))
        return error_set(err, ERROR_FORMAT, "%s is not a number", name);
    *out = member->valuedouble;
    return *out >= min && *out <= 1e15 ? 0 : config_value_bad(err, name, *out);
}

int config_value_count(const cJSON *config, const char *name, size_t fallback, size_t max,
                       size_t *out, struct error *err)
{
    const cJSON *member = json_find(config, name);
    double value = cJSON_IsNumber(member) ? member->valuedouble : 0;

    *out = fallback;
    if (!member)
        return 0;
    if (!(value >= 1 && value <= (double)max) || value != floor(value))
        return error_set(err, ERROR_FORMAT, "%s must be a whole number from 1 to %zu", name, max);
    *out = (size_t)value;
    return 0;
}
