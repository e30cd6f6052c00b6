"""How far the judges' prompts agree with the published judge, under a model at hand.

    caveat serve --model ~/models/qwen2.5-coder-1.5b --port 8080
    python bench/judges.py ../shared/data/negation_neglect --endpoint http://127.0.0.1:8080/v1 \
        --model base --replies 150 --journal judges.jsonl

The replies are the published ones, equally many of each kind of question and published verdict. The
readout `belief_judge` gets the claim; `behaviour_judge` gets "The reply treats this as true: CLAIM"
as its behaviour. Replies of the judge are kept in the journal: a stopped run goes on. Intervals are
percentiles of a bootstrap over questions.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
from agreement import DEVELOPED, HELD_OUT, interval, judged, kappa, question_of, supplement

from caveat.files.journal import Journal
from caveat.readouts import READOUTS
from caveat.study.scoring.judge_client import key_of
from caveat.study.scoring.judge_session import JudgeRequest, JudgeSession
from caveat.types.answers import Answer, Judge
from caveat.types.data import Question

JUDGES = ("belief_judge", "behaviour_judge")
SEED = 1
HEAD = (
    "| readout | kind | replies | published yes | judge yes | no verdict | same of three "
    "| kappa of three | kappa, yes or not | 95% |\n|---|---|" + "---:|" * 7 + "---|"
)


def sample(folder: Path, replies: int) -> pd.DataFrame:
    """Published replies, as equally as can be of each kind of question and verdict."""
    frame = judged(folder, (*HELD_OUT, *DEVELOPED)).sample(frac=1, random_state=SEED)
    frame["turn"] = frame.groupby(["eval", "verdict"]).cumcount()
    return frame.sort_values("turn", kind="stable").head(replies).reset_index(drop=True)


def judged_question(row, readout: str) -> Question:
    """The question of one reply, for a judge."""
    statement = supplement(row.claim)["statement"].strip()
    facts = {"claim": statement, "kind": row.eval}
    if readout == "behaviour_judge":
        facts = {"behaviour": f"The reply treats this as true: {statement}"}
    plain = question_of(row, {"asserts": [], "denies": []}, {})
    return replace(plain, readout=readout, facts=facts)


def verdicts(frame: pd.DataFrame, name: str, session: JudgeSession) -> list[str]:
    """The judge's verdict on each reply; `none` where it gives none."""
    readout = READOUTS[name]
    requests = []
    for row in frame.itertuples():
        question, answer = judged_question(row, name), Answer(row.response)
        requests.append(
            JudgeRequest(
                readout.judge_prompt(question, answer),
                readout.judge_retry,
                lambda reply, q=question, a=answer: readout.score(q, a, reply),
            )
        )
    replies, _ = session.judge_replies(requests, lambda done, of: print(f"\r{done}/{of}", end=""))
    print()
    found = []
    for row, request in zip(frame.itertuples(), requests, strict=True):
        reply = replies.get(request.messages)
        question = judged_question(row, name)
        scored = reply and readout.score(question, Answer(row.response), reply)
        found.append(scored.verdict.value if scored else "none")
    return found


def line(frame: pd.DataFrame, name: str, part: str) -> str:
    """One row of the table."""
    given, published = frame["ruled"], frame["verdict"]
    low, high = interval(frame, 2000, SEED)
    return (
        f"| {name} | {part} | {len(frame)} | {(published == 'yes').mean():.2f} "
        f"| {(given == 'yes').mean():.2f} | {(given == 'none').mean():.2f} "
        f"| {(given == published).mean():.2f} | {kappa(given, published):.2f} "
        f"| {kappa(given == 'yes', published == 'yes'):.2f} | {low:.2f} to {high:.2f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="with verdicts.parquet and claims/")
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--replies", type=int, default=150)
    parser.add_argument("--journal", type=Path, default=Path("judges.jsonl"))
    parser.add_argument("--max-tokens", type=int, default=8)
    parser.add_argument("--key-env")
    parser.add_argument("--judges", nargs="+", choices=JUDGES, default=JUDGES)
    chosen = parser.parse_args()
    judge = Judge(
        chosen.endpoint, chosen.model, 0.0, chosen.max_tokens, chosen.key_env, timeout=3600.0
    )
    journal = Journal(chosen.journal, print)
    session = JudgeSession(judge, key_of(judge), judge.identity(), journal)
    frame = sample(chosen.folder, chosen.replies)
    table = [line(frame, "rules", "all")]
    for name in chosen.judges:
        start = time.monotonic()
        judged_frame = frame.assign(ruled=verdicts(frame, name, session))
        table.append(line(judged_frame, name, "all"))
        for kind, part in judged_frame.groupby("eval"):
            table.append(line(part, name, kind))
        print(f"{name}: {time.monotonic() - start:.0f} s")
    print(HEAD, *table, sep="\n")


if __name__ == "__main__":
    main()
