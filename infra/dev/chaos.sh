# The chaos harness: the whole system under kills and restarts, on servers of its own, and a judge.
# shellcheck shell=bash

# run_chaos ARGS...: the arguments are the program's own (./dev chaos --help).
run_chaos() {
    local words=" $* "
    if [[ ${1:-} != judge && $words != *' --help '* ]]; then
        prepare_tests
        if [[ $words == *' --planted'* || $words == *' --crash-points'* ]]; then
            PURSIGHT_TEST_PURSIGHT=$(build_with_fail_points)
            export PURSIGHT_TEST_PURSIGHT
        fi
    fi
    step "building"
    cargo build --workspace --quiet >&2
    "$(target_folder)/debug/pursight-chaos" "$@"
}

# Builds the executable with its fail points beside the normal one, and prints where it lies.
build_with_fail_points() {
    local path
    path=$(target_folder)/debug/pursight-with-fail-points
    step "building an executable with fail points"
    cargo build --workspace --quiet --features pursight/failpoints >&2
    cp -f --remove-destination "$(target_folder)/debug/pursight" "$path"
    echo "$path"
}
