# SPDX-License-Identifier: GPL-2.0-only
#
# For people. kbuild reads Kbuild.

KDIR ?= /lib/modules/$(shell uname -r)/build
PREFIX ?= /usr/local
MODULE := drivers/gpu/wddmcompat/wddmcompat.ko

all: module tools ## Build the module for KDIR, libwddmcompat and wddmctl

module: kdir ## Build the module; KDIR=<build tree of a kernel>, W=1 and C=2 as in kbuild
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules

tools: ## Build libwddmcompat and wddmctl
	$(MAKE) -C tools/libwddmcompat PREFIX=$(PREFIX)
	@echo '#include <json-c/json.h>' | $(CC) -E -o /dev/null - 2>/dev/null || { \
		echo "wddmctl needs json-c: apt install libjson-c-dev" >&2; exit 1; }
	$(MAKE) -C tools/wddmctl

install: install-module install-tools ## Install all that was built

install-module: kdir ## Install the module
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules_install

install-tools: ## Install library, wddmctl, and man pages if "make docs" has been run
	$(MAKE) -C tools/libwddmcompat PREFIX=$(PREFIX) install
	$(MAKE) -C tools/wddmctl PREFIX=$(PREFIX) install
	for page in $(wildcard build/docs/man/*.[1-8]); do \
		install -D -m 644 $$page $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/}; done

# Also where only the module's sources are, as DKMS has them
clean: ## Remove what was built here; the test kernels stay in their cache
	rm -rf build
	for dir in $(wildcard tools/libwddmcompat tools/wddmctl samples/library); do \
		$(MAKE) -C $$dir clean || exit; done
	find $(wildcard drivers samples tools/testing/kunit tools/testing/bench) \( -name '*.o' -o -name '*.ko' \
		-o -name '*.mod' -o -name '*.mod.c' -o -name '.*.cmd' \
		-o -name modules.order \) -delete
	rm -f Module.symvers modules.order .Module.symvers.cmd .modules.order.cmd \
		compile_commands.json

demo: ## Show a device reaching a mapped MDL by DMA, and nothing after unmap
	@tools/testing/demo

demo-miniport: ## Show a display miniport that calls every callback, in both modes
	@tools/testing/demo-miniport

check: ## Run all tests on both test kernels
	@tools/testing/check

check-quick: ## Run KUnit and the core self-tests on the newest kernel
	@tools/testing/check --quick

check-long: ## What takes hours: races, a million mappings, model and fuzzer
	@tools/testing/check --long

mutate: ## Break the module in many small ways; the tests must notice each
	@tools/testing/mutate

coverage: ## What of the module the tests execute, on KERNEL=newest
	@tools/testing/coverage $(KERNEL)

fuzz: ## Fuzz the module, guided by KCOV, for MINUTES=10
	@tools/testing/fuzz/run $$(($(MINUTES) * 60))

soak: ## Everything that hurts, mixed, MINUTES=10 long, on KERNEL=newest
	@tools/testing/soak $(MINUTES) $(KERNEL)
MINUTES := 10

bench: ## Measure mapping beside iommufd itself; QUICK=1 for a part of it
	@tools/testing/bench/run $(if $(QUICK),--quick)

vm: ## A shell in the test machine: KERNEL=6.12 or newest, FLAVOUR=debug or fast
	@tools/testing/deps.sh build vm
	@out=$$(tools/testing/build $(KERNEL) $(FLAVOUR)) && \
	tools/testing/vm/boot --kernel $(KERNEL) --flavour $(FLAVOUR) --edu 2 \
		--module $$out/module/$(MODULE) --add $$out/wddmctl/wddmctl \
		$$(test $(FLAVOUR) = fast || echo --add $$out/selftests) --shell
KERNEL := newest
FLAVOUR := debug

docs: ## Build the manual and the man pages, in build/docs
	@tools/testing/deps.sh build docs
	@KSRC=$$(tools/testing/vm/kernel --source newest) Documentation/build build/docs

deb: ## Build Debian packages, in build/deb
	@tools/packaging/deb

check-packages: ## Install the Debian packages in a fresh Debian, use them, and purge them
	@tools/packaging/test

dist: ## The sources as a tar file, with a checksum, in build/dist
	@tools/packaging/dist

format: ## Show where clang-format disagrees; changes nothing
	@git ls-files '*.c' '*.h' | while read -r file; do \
		clang-format "$$file" | diff -u "$$file" - || true; done

compile_commands.json: FORCE ## For clangd
	@out=$$(tools/testing/build newest debug) && \
	$(MAKE) -s -C $$(tools/testing/vm/kernel newest debug) M=$$out/module \
		CONFIG_WDDMCOMPAT_KUNIT_TEST=m CONFIG_SAMPLE_WDDMCOMPAT_EDU=m \
		compile_commands.json && \
	sed "s|$$out/module/|$(CURDIR)/|g" $$out/module/compile_commands.json >$@

help: ## This list
	@awk -F ':.*## ' '/^[a-z_.-]+:.*## / { printf "%-22s %s\n", $$1, $$2 }' \
		$(firstword $(MAKEFILE_LIST))

kdir:
	@test -e $(KDIR)/.config || { echo "$(KDIR) is not the build tree of a kernel:" \
		"install the kernel's headers, or name another by KDIR=" >&2; exit 1; }
	@grep -q '^CONFIG_IOMMUFD=[my]' $(KDIR)/.config || { echo "The kernel of $(KDIR)" \
		"has no CONFIG_IOMMUFD: build for one that has, by KDIR=, or see README.md" \
		"on how to get one." >&2; exit 1; }

FORCE:
.PHONY: all module tools install install-module install-tools clean demo demo-miniport check check-quick check-long \
	mutate coverage fuzz soak bench vm docs deb check-packages dist format help kdir FORCE
