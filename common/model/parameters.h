/* parameters.h - the tensors of a checkpoint as the weights of a model, in the shapes that
 * config.json says. */
#ifndef COCKTAIL_PARAMETERS_H
#define COCKTAIL_PARAMETERS_H

#include "arch/model_spec.h"
#include "base/error.h"
#include "base/notices.h"
#include "format/checkpoint.h"
#include "model/expert_group.h"
#include "model/model_weights.h"

/* Finds and checks what the spec asks for, used as a `type`, of the model called `name`; a notice tells
 * of tensors that are left over. ERROR_FORMAT for a tensor that is
 * missing, of another shape, or not of numbers; ERROR_UNSUPPORTED for a quantised one. `experts`, or
 * NULL: of the experts only its share is loaded, the others' matrices and biases are not touched.
 * The checkpoint must outlive the weights. Released with parameters_release. */
int parameters_load(struct parameters *parameters, const struct model_spec *spec,
                    enum model_type type, const struct checkpoint *checkpoint,
                    const struct expert_group *experts, const char *name, struct notices *notices, struct error *err);
void parameters_release(struct parameters *parameters);

#endif
