#!/usr/bin/env bash
# All benchmarks that want a GPU, in ten minutes at most, with nothing to do by hand:
#
#   bench/gpu.sh                              # results in gpu-results/
#   bench/gpu.sh --out DIR --model FOLDER     # and a small study of the model in FOLDER
#   bench/gpu.sh --device cpu                 # tiny sizes on a CPU, to see the script work
#   bench/gpu.sh --python .venv/bin/python    # an environment that is there: installs nothing
#
# Parts: install, equality, training, sampling, grpo, demo, study. Each has its own time limit, and
# all together a budget (--budget SECONDS). A part that fails or runs out of time stops no other.
# Run it again to do what is left: parts that are done stay done (--again does all anew).
# DIR/gpu.json has the figures of all parts, under the keys of bench/side_by_side.py (ratio,
# limit_share, seconds). DIR/parts has each part's output and its own JSON.
# Exit status: 0 all parts done, 2 some are not, 1 nothing could be run.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd) || exit 1
out=$root/gpu-results device=auto model='' python='' budget=600 again='' base=${PYTHON:-python3}

fail() {
    printf 'gpu.sh: %s\n' "$1" >&2
    exit 1
}

usage() {
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "${BASH_SOURCE[0]}"
}

while [ $# -gt 0 ]; do
    case $1 in
        --again) again=yes && shift && continue ;;
        --help | -h) usage && exit 0 ;;
        --out | --device | --model | --python | --budget) ;;
        *) fail "unknown option '$1'; see --help" ;;
    esac
    [ $# -ge 2 ] || fail "$1 needs a value"
    case $1 in
        --out) out=$2 ;;
        --device) device=$2 ;;
        --model) model=$2 ;;
        --python) python=$2 ;;
        --budget) budget=$2 ;;
    esac
    shift 2
done
[[ $budget =~ ^[1-9][0-9]*$ ]] || fail "--budget $budget: must be whole seconds, such as 600"
case $device in
    auto | cpu | cuda | cuda:[0-9]*) ;;
    *) fail "--device $device: must be auto, cpu, cuda or cuda:N" ;;
esac
[[ -z $model || -e $model || $model == tiny ]] || fail "--model $model: no such folder"
[[ -z $python || -x $python ]] || fail "--python $python: no such program"
mkdir -p "$out/parts" || fail "--out $out: cannot be written"
out=$(cd "$out" && pwd)
[[ -d $model ]] && model=$(cd "$model" && pwd)
[[ -n $python ]] && python=$(cd "$(dirname "$python")" && pwd)/$(basename "$python")
cd "$root" || exit 1
[[ -n $again ]] && rm -f "$out"/parts/*
venv=$root/.venv-gpu
end=$((SECONDS + budget))
missed=0 patience=1

# part NAME LIMIT COMMAND...: run a part, and note how it ended, in which time.
part() {
    local name=$1 limit=$(($2 * patience)) status state start=$SECONDS left=$((end - SECONDS))
    shift 2
    if [[ $(cut -d' ' -f1 "$out/parts/$name.state" 2>/dev/null) == done ]]; then
        printf '%-9s done before\n' "$name"
        return 0
    fi
    if ((left < 2)); then
        printf 'skipped 0 %s the budget of %s s was spent\n' "$limit" "$budget" \
            >"$out/parts/$name.state"
        printf '%-9s skipped: the budget of %s s was spent\n' "$name" "$budget"
        missed=2
        return 1
    fi
    ((left < limit)) && limit=$left
    timeout --kill-after=10 "$limit" "$@" >"$out/parts/$name.log" 2>&1 </dev/null
    status=$?
    case $status in
        0) state=done ;;
        124 | 137) state=timeout ;;
        *) state=failed ;;
    esac
    printf '%s %s %s status %s\n' "$state" $((SECONDS - start)) "$limit" "$status" \
        >"$out/parts/$name.state"
    printf '%-9s %s after %s s (limit %s s)\n' "$name" "$state" $((SECONDS - start)) "$limit"
    if [[ $state != done ]]; then
        missed=2
        tail -n 3 "$out/parts/$name.log" | sed 's/^/    /'
    fi
    [[ $state == done ]]
}

# works PYTHON: whether it can import what the parts need.
works() {
    PYTHONPATH=$root/src "$1" -c 'import caveat.cli, peft, pytest, torch, transformers' \
        >/dev/null 2>&1
}

if [[ -n $python ]]; then
    works "$python" || fail "--python $python: cannot import caveat's packages; drop --python"
else
    part install 300 make PYTHON="$base" VENV="$venv" install
    python=$venv/bin/python
    if ! works "$python"; then
        works "$base" || fail "nothing could be installed (see $out/parts/install.log), and $base \
lacks the packages"
        python=$base
        printf '          going on with the packages of %s\n' "$base"
    fi
fi
export PYTHONPATH=$root/src PYTHONUNBUFFERED=1
gpu=$("$python" -c 'import torch; print(torch.cuda.is_available())')
if [[ $device == auto ]]; then
    device=cpu
    [[ $gpu == True ]] && device=cuda
fi
[[ $device == cuda* && $gpu != True ]] && fail "--device $device: torch sees no GPU"

tests=tests/backends/local
if [[ $device == cpu ]]; then
    dtype=float32 recipe=smoke patience=6 # a processor may have other work
    sizes=(--model tiny --quick)
    adapters=(2) policies=(2)
    equality=("$tests/lora/test_stacked_linear.py" "$tests/training/test_equality_in_bfloat16.py")
else
    dtype=bfloat16 recipe=demo
    sizes=()
    adapters=(16 64) policies=(16)
    equality=("$tests/lora" "$tests/models/test_packing.py" "$tests/sampling"
        "$tests/rl/test_grpo_trainer.py" "$tests/training/test_equality_in_bfloat16.py")
fi

# bench NAME LIMIT ARGUMENTS...: one benchmark, whose JSON is parts/NAME.json.
bench() {
    local name=$1 limit=$2 script=$3
    shift 3
    part "$name" "$limit" "$python" "bench/$script.py" --device "$device" "$@" \
        --out "$out/parts/$name.json"
}

part equality 90 "$python" -m pytest -q -W ignore -p no:cacheprovider \
    --junitxml "$out/parts/equality.xml" "${equality[@]}"
bench training 150 training --dtype "$dtype" --repetitions 3 --adapters "${adapters[@]}" \
    "${sizes[@]}"
bench sampling 60 sampling --dtype "$dtype" "${sizes[@]}"
bench grpo 90 grpo --dtype "$dtype" --adapters "${policies[@]}" "${sizes[@]}"
bench demo 120 study --recipe "$recipe" --sizes
if [[ -n $model ]]; then
    bench study 120 study --recipe bench/gpu_study.yaml --sizes --set "model.name=$model" \
        --set "model.dtype=$dtype"
fi

"$python" bench/gpu_summary.py "$out" --device "$device" --dtype "$dtype" || exit 1
exit "$missed"
