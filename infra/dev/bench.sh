# Measuring. Release builds of the product and of what measures it, in the same target folder.
# shellcheck shell=bash

# run_bench [SUITE...] [--json] [--runs N] [--minutes M] [--rate R]
run_bench() {
    prepare_tests
    step "building a release (minutes at first)"
    cargo build --release --workspace >&2 || die "the build failed" "the compiler's messages are above"
    local release
    release=$(target_folder)/release
    export PURSIGHT_TEST_PURSIGHT=$release/pursight
    step "measuring; let nothing else run beside it"
    "$release/pursight-bench" "$@"
}
