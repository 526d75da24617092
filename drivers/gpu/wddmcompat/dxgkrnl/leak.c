// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a miniport has to give back before its adapter is stopped. Whatever it has
 * not is given back for it, and said. In spirit this is Driver Verifier: with the
 * module's parameter "verifier" it is also said who had asked for what.
 */
#include <linux/moduleparam.h>
#include <linux/printk.h>

#include "dxgk.h"

static bool verifier;
module_param(verifier, bool, 0644);
MODULE_PARM_DESC(verifier,
		 "Remember who allocates, and list what a miniport has leaked");

void dxgk_leaks_init(struct dxgk_leaks *leaks)
{
	mutex_init(&leaks->lock);
	INIT_LIST_HEAD(&leaks->list);
}

/* The newest first, as it may depend on an older one */
void dxgk_leaks_add(struct dxgk_leaks *leaks,
		    struct dxgk_allocation *allocation,
		    const struct dxgk_kind *kind, size_t bytes, void *caller)
{
	allocation->kind = kind;
	allocation->bytes = bytes;
	allocation->caller = READ_ONCE(verifier) ? caller : NULL;
	mutex_lock(&leaks->lock);
	list_add(&allocation->node, &leaks->list);
	mutex_unlock(&leaks->lock);
}

void dxgk_leaks_del(struct dxgk_leaks *leaks,
		    struct dxgk_allocation *allocation)
{
	mutex_lock(&leaks->lock);
	list_del_init(&allocation->node);
	mutex_unlock(&leaks->lock);
}

static struct dxgk_allocation *leaks_pop(struct dxgk_leaks *leaks)
{
	struct dxgk_allocation *allocation;

	mutex_lock(&leaks->lock);
	allocation = list_first_entry_or_null(&leaks->list,
					      struct dxgk_allocation, node);
	if (allocation)
		list_del_init(&allocation->node);
	mutex_unlock(&leaks->lock);
	return allocation;
}

/**
 * dxgk_leaks_release() - Give back what has not been
 * @leaks: Nobody adds to it any more
 * @who: Whose it is
 */
void dxgk_leaks_release(struct dxgk_leaks *leaks, const char *who)
{
	struct dxgk_allocation *allocation;
	unsigned int num = 0;

	while ((allocation = leaks_pop(leaks))) {
		if (allocation->caller)
			pr_warn("wddmcompat: %s: leaked: %s, %zu bytes, from %pS\n",
				who, allocation->kind->name, allocation->bytes,
				allocation->caller);
		allocation->kind->release(allocation);
		num++;
	}
	if (num)
		pr_warn("wddmcompat: %s: %u allocation(s) leaked by the miniport, released%s\n",
			who, num,
			READ_ONCE(verifier) ?
				"" :
				"; load wddmcompat with verifier=1 to see which");
	mutex_destroy(&leaks->lock);
}
