# Coverage-guided fuzzing of everything that reads what others wrote; the targets are in tests/fuzz.
# shellcheck shell=bash

FUZZ_RECORDS=(avro attestation json schema)
FUZZ_ANSWERS=(catalog wire text certificate)

# fuzz [TARGET] [--minutes M]: every target, or one, for M minutes each (1 unless told); one core, at the lowest priority.
run_fuzz() {
    local -a targets=()
    local minutes=1
    while (($# > 0)); do
        case $1 in
            --minutes) minutes=${2:-}; shift ;;
            *) targets+=("$1") ;;
        esac
        shift
    done
    [[ $minutes =~ ^[0-9]+$ && $minutes -gt 0 ]] || die "--minutes wants a number above 0"
    ((${#targets[@]} > 0)) || targets=("${FUZZ_RECORDS[@]}" "${FUZZ_ANSWERS[@]}")
    local target
    for target in "${targets[@]}"; do
        [[ " ${FUZZ_RECORDS[*]} ${FUZZ_ANSWERS[*]} " == *" $target "* ]] ||
            die "there is no fuzz target $target" "the targets are: ${FUZZ_RECORDS[*]} ${FUZZ_ANSWERS[*]}"
    done
    install_packages
    open_state
    mkdir -p "$STATE/fuzz/findings" "$STATE/fuzz/corpus"
    build_fuzz "${targets[@]}"
    "$(fuzz_folder)/seeds" schemas "$STATE/fuzz/corpus" || die "the seeds could not be written"
    local -a failed=()
    for target in "${targets[@]}"; do
        fuzz_one "$target" "$minutes" || failed+=("$target")
    done
    ((${#failed[@]} == 0)) ||
        die "findings in: ${failed[*]}" "inputs lie in .dev/fuzz/findings, each with its log in .dev/log/fuzz-TARGET.log"
}

# The libraries are those of Cargo.lock: what is fuzzed is what is shipped. Instrumented, in a target folder of its own.
build_fuzz() {
    local target
    local -a words=(--bin seeds)
    for target in "$@"; do
        words+=(--bin "$target")
        [[ " ${FUZZ_ANSWERS[*]} " != *" $target "* ]] || words+=(--features answers)
    done
    cp Cargo.lock tests/fuzz/Cargo.lock
    step "building the fuzz targets (minutes at first)"
    RUSTC_WRAPPER=$ROOT/infra/dev/fuzz-rustc.sh CARGO_TARGET_DIR=$(fuzz_target_folder) nice -n 5 \
        cargo build -q --release --manifest-path tests/fuzz/Cargo.toml "${words[@]}" >&2 || die "the fuzz targets cannot be built"
}

fuzz_target_folder() { echo "${PURSIGHT_FUZZ_TARGET_DIR:-$STATE/fuzz/target}"; }
fuzz_folder() { echo "$(fuzz_target_folder)/release"; }

# fuzz_one TARGET MINUTES: prints one line with its figures. libFuzzer's own cap on single allocations needs a sanitizer;
# the targets count by themselves (tests/fuzz/src/lib.rs), and the process may never hold more than 512 MiB.
fuzz_one() {
    local target=$1 log=$STATE/log/fuzz-$1.log result=0
    local -a inputs=("$STATE/fuzz/corpus/$target")
    if [[ -d tests/fuzz/found/$target ]]; then inputs+=("tests/fuzz/found/$target"); fi
    mkdir -p "${inputs[0]}"
    step "fuzzing $target for $2 min"
    nice -n 15 "$(fuzz_folder)/$target" "${inputs[@]}" -max_total_time=$(($2 * 60)) -max_len=65536 -timeout=10 \
        -rss_limit_mb=512 -print_final_stats=1 -artifact_prefix="$STATE/fuzz/findings/$target-" >"$log" 2>&1 || result=$?
    local coverage
    coverage=$(grep -o 'cov: [0-9]* ft: [0-9]* corp: [0-9]*' "$log" | tail -1)
    printf '%-12s %s, %s executions, peak %s MiB%s\n' "$target" "${coverage:-no coverage}" \
        "$(stat_of number_of_executed_units "$log")" "$(stat_of peak_rss_mb "$log")" \
        "$( ((result == 0)) || echo ", A FINDING: $(grep -m1 -E 'panicked at|ERROR: libFuzzer' "$log")")"
    return "$result"
}

# stat_of NAME LOG
stat_of() { sed -n "s/^stat::$1: *//p" "$2" | tail -1; }
