"""A net trained beside its twin: every step judged, both trajectories followed, all of it written as it becomes known."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from oracle.core.case import Array, Arrays
from oracle.core.torch_twin import Twin
from oracle.nets.accuracies import shares
from oracle.nets.batches import Batch
from oracle.nets.causes import Moment, cause
from oracle.nets.checkpoints import State, forget_others, write_arrays, write_checkpoint
from oracle.nets.columns import Columns
from oracle.nets.growth import Allowed, Shadows, apart, distance, most, norm, together
from oracle.nets.plan import TrainingPlan
from oracle.nets.planted import planted_in
from oracle.nets.steps import UPDATED, JudgedStep, StepJudge, Trainee, updated
from oracle.nets.stopping import Stop, stopping
from oracle.nets.tallies import Rows
from oracle.nets.twin import TwinError
from oracle.results import WritingStopped
from oracle.results.model import Footer, Record
from oracle.results.training import Epoch, Timing, TrainingDivergence, TrainingWriter
from oracle.search.declaration import now
from oracle.search.explain import in_numbers, sentence
from oracle.subjects.nets import NetError

FLUSH_SECONDS = 2.0
"""At most so much of what is known of the steps is lost when the training is killed."""
CHECKPOINT_SECONDS = 15.0
"""At most so much work is done again when it is resumed."""
CHECKED = 100
"""Every so many steps it is looked whether the net's parameters are those that the updates have made."""
KNOWN = 8
"""Steps up to which the sum of all gradients is kept, to tell whether a net adds them up."""

PARAMS = "params.unchanged"

Progress = Callable[[str, int], None]


class Resumed(NamedTuple):
    """Where a dtype goes on: its state, and what its rows and clocks said there."""

    state: State
    rows: Rows
    timing: Timing


def train(plan: TrainingPlan, writer: TrainingWriter, resumed: Mapping[str, Resumed], progress: Progress) -> None:
    """Train in every dtype of the plan, writing to `writer`; `progress(dtype, n)` is called when n more steps are done.

    Ctrl-C leaves everything in the file, with a checkpoint and a footer. A net that raises ends its dtype with a row that says so.
    Raises WritingStopped.
    """
    began = time.monotonic()
    outcome, message = "complete", ""
    try:
        with stopping() as stop:
            for dtype in plan.settings.dtypes:
                with plan.net_of(dtype) as net:
                    Training(plan, dtype, net, writer, resumed.get(dtype), progress).run(stop)
    except KeyboardInterrupt:
        outcome, message = "interrupted", "stopped by the user; --resume goes on with it"
    except (NetError, TwinError) as error:
        outcome, message = "failed", str(error)
    writer.write(Footer(finished=now(), seconds=time.monotonic() - began, outcome=outcome, message=message))  # type: ignore[arg-type]


class Training:
    """The training of one dtype."""

    def __init__(
        self, plan: TrainingPlan, dtype: str, net: Trainee, writer: TrainingWriter, resumed: Resumed | None, progress: Progress
    ) -> None:
        self._plan, self._dtype, self._net, self._writer, self._progress = plan, dtype, net, writer, progress
        self._judge = StepJudge(plan.spec)
        if resumed is None:
            start = self._net.params()
            state = State(0, start, start, start, (start,) * plan.settings.shadows, 0.0, 0.0)
            self._rows, self._timing = Rows(dtype, plan.spec.wrt), Timing(dtype=dtype, steps=0, actual_seconds=0, expected_seconds=0)
        else:
            state, self._rows, self._timing = resumed
            self._net.assign(state.net)
        self._step, self._before, self._start, self._injected = state.step, state.net, state.start, state.injected
        self._twin = self._torch_net(state.twin)
        self._allowed = Allowed(state.allowed, apart(state.net, state.twin))
        self._shadows = Shadows([self._torch_net(s) for s in state.shadows], plan.settings.seed)
        self._columns = Columns(dtype, self._step + 1, plan.spec.wrt, self._rows.quantities)
        self._earlier: tuple[Batch, Arrays] | None = None
        self._total: tuple[Arrays, Arrays] | None = None
        self._flushed = self._saved = time.monotonic()

    def _torch_net(self, params: Mapping[str, Array]) -> Twin:
        spec = self._plan.spec
        return Twin(spec.function or spec.expression("index"), self._plan.scores, params)

    def run(self, stop: Stop) -> None:
        """All steps that are left. Raises KeyboardInterrupt, with everything written, once `stop` is asked for."""
        settings = self._plan.settings
        if self._step == 0:
            self._plant()
            self._accuracies()
        try:
            while self._step < settings.steps:
                self._one()
                if self._step % settings.epoch == 0 or self._step == settings.steps:
                    self._accuracies()
                    # after them: a net that did not survive being measured is found out even at the end
                    self._checked()
                self._keep()
                if stop.asked:
                    break
        except NetError as error:
            self._gave_up(str(error))
            return
        finally:
            self._flush()
        self._checkpoint()
        if stop.asked:
            raise KeyboardInterrupt

    def _one(self) -> None:
        """The next step of everybody."""
        number, lr = self._step + 1, self._plan.settings.lr
        now_batch = self._plan.batch(number, self._dtype)
        began = time.perf_counter()
        seen = self._net.step(now_batch.x, now_batch.t, lr)
        between = time.perf_counter()
        expected = self._twin_step(now_batch, lr)
        ended = time.perf_counter()
        self._timing = Timing(
            dtype=self._dtype,
            steps=number,
            actual_seconds=self._timing.actual_seconds + between - began,
            expected_seconds=self._timing.expected_seconds + ended - between,
        )
        judged = self._judge.judge(number, now_batch, self._before, lr, seen)
        fresh = self._rows.add(number, judged)
        self._follow(number, now_batch, judged, seen.grads, float(seen.loss), expected)
        self._explain(number, fresh, now_batch, judged)
        self._earlier, self._before, self._step = (now_batch, self._before), judged.after, number
        for broken in seen.breaches:
            self._go_on_from_its_own(broken.contract)
        if number % CHECKED == 0 and number % self._plan.settings.epoch:
            self._checked()
        self._progress(self._dtype, 1)

    def _twin_step(self, now_batch: Batch, lr: float) -> float:
        """The twin's own step, and its loss after it."""
        try:
            self._twin.update(now_batch.x, now_batch.t, lr)
            return float(self._twin.loss(now_batch.x, now_batch.t))
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            raise TwinError(f"torch's side of the net does not compute at step {self._step + 1:,}: {error}") from error

    def _follow(
        self, number: int, now_batch: Batch, judged: JudgedStep, grads: Mapping[str, Array], actual: float, expected: float
    ) -> None:
        """Both trajectories, and those of the shadows, after step `number`."""
        lr = self._plan.settings.lr
        worst = {name: self._rows.margin(f"backward.d{name}") for name in self._plan.spec.wrt}
        pushed = most(judged.after, grads, judged.allowed, worst, lr)
        self._shadows.step(number, now_batch.x, now_batch.t, lr, pushed)
        twin = self._twin.params
        far, by_name = distance(judged.after, twin)
        shadow = self._shadows.distance(twin)
        whole, push = (together(norm(a) for a in arrays.values()) for arrays in (twin, pushed))
        torch_step = updated(self._before, {**grads, **judged.expected}, lr)
        self._allowed.step(apart(torch_step, twin), push, far * whole)
        allowed = self._allowed.allowed / whole if whole else 0.0
        self._injected += push / whole if whole else 0.0
        margins = {c.quantity: c.margin for c in judged.comparisons}
        self._columns.add((actual, expected, far, allowed, shadow, self._injected), by_name, margins)
        finite = all(np.isfinite(p).all() for p in twin.values()) and bool(np.isfinite(allowed))
        self._rows.trajectory(number, far, allowed, judged.determined and finite)

    def _explain(self, number: int, fresh: list[str], now_batch: Batch, judged: JudgedStep) -> None:
        """Write of each row that fails for the first time where, by how much and why."""
        self._add_up(number, judged)
        concerned = [name for name in fresh if name in judged.sides]
        if not concerned:
            return
        moment = Moment(now_batch, self._before, judged.after, self._start, self._earlier, self._total)
        file = self._kept_arrays(number, now_batch, judged)
        for name in concerned:
            side = judged.sides[name]
            found = next(c for c in judged.comparisons if c.quantity == name)
            at = found.worst_index
            told = sentence(name, side.actual[at], side.expected[at], side.allowed[at], found.margin, at)
            self._rows.say(name, told)
            data = in_numbers(side.actual, side.expected, side.allowed, found, found.reason, told)
            why = cause(self._plan.spec, name, side, moment)
            self._write(TrainingDivergence(dtype=self._dtype, quantity=name, step=number, comparison=data, diagnosis=why, file=file))

    def _add_up(self, number: int, judged: JudgedStep) -> None:
        """The sum of torch's gradients of all steps, as long as it is of use."""
        if number > KNOWN or (self._total is None and number > 1):
            self._total = None
            return
        known = [name for name in self._plan.spec.wrt if f"backward.d{name}" in judged.sides]
        expected = {name: judged.sides[f"backward.d{name}"].expected.astype(np.float64) for name in known}
        allowed = {name: judged.allowed[name] for name in known}
        if self._total is not None:
            expected, allowed = (
                {name: a + part[name] for name, a in kept.items() if name in part}
                for kept, part in zip(self._total, (expected, allowed), strict=True)
            )
        self._total = (expected, allowed)

    def _kept_arrays(self, number: int, now_batch: Batch, judged: JudgedStep) -> str:
        """The name of a file with everything that the step was judged by; empty where it cannot be written."""
        name = f"failing-{self._dtype}-{number}.safetensors"
        sides = {f"{part}.{quantity}": a for quantity, side in judged.sides.items() for part, a in side._asdict().items()}
        params = {f"params.{key}": a for key, a in self._before.items()}
        try:
            write_arrays(self._writer.path.with_name(name), {"x": now_batch.x, "t": now_batch.t, **params, **sides})
        except WritingStopped:
            return ""
        return name

    def _checked(self) -> None:
        """Whether the net's parameters are those that the updates have made of them."""
        own = self._net.params()
        wrong = [name for name, a in self._before.items() if own[name].dtype != a.dtype or not np.array_equal(own[name], a, equal_nan=True)]
        told = f"{', '.join(wrong)} {'is' if len(wrong) == 1 else 'are'} not what the updates made of them until step {self._step:,}"
        self._rows.kept(self._step, UPDATED, told if wrong else "")
        if wrong:
            self._go_on_from_its_own(PARAMS)

    def _go_on_from_its_own(self, broken: str) -> None:
        """Once the net has changed its parameters itself: from equal ones again, or every later step would fail for this."""
        if broken != PARAMS:
            return
        own = self._net.params()
        if odd := [name for name, a in self._before.items() if own[name].dtype != a.dtype or own[name].shape != a.shape]:
            raise NetError(f"params[{odd[0]!r}] has become {own[odd[0]].dtype} of shape {own[odd[0]].shape}: no twin trains beside that")
        self._before = own

    def _accuracies(self) -> None:
        data, step = self._plan.data, self._step
        epoch = -(-step // self._plan.settings.epoch)
        on_train = shares(self._net, self._twin, data.x_train, data.t_train, self._dtype)
        on_test = shares(self._net, self._twin, data.x_test, data.t_test, self._dtype)
        self._write(
            Epoch(
                dtype=self._dtype,
                epoch=epoch,
                step=step,
                actual_train=on_train.actual,
                expected_train=on_train.expected,
                actual_test=on_test.actual,
                expected_test=on_test.expected,
            )
        )
        for broken in dict.fromkeys((*on_train.breaches, *on_test.breaches)):
            self._rows.kept(step, broken.contract, broken.message)
            self._go_on_from_its_own(broken.contract)

    def _plant(self) -> None:
        """Broken nets, on the first steps of the first dtype."""
        plan = self._plan
        if not plan.planted or self._dtype != plan.settings.dtypes[0]:
            return
        for planted in planted_in(
            plan.spec, plan.wrong_order, self._before, lambda number: plan.batch(number, self._dtype), plan.settings.lr, plan.name
        ):
            self._write(planted)

    def _gave_up(self, text: str) -> None:
        self._rows.kept(min(self._step + 1, self._plan.settings.steps), "call.answers", text)

    def _keep(self) -> None:
        """Write what is known now and then."""
        at = time.monotonic()
        if at - self._saved > CHECKPOINT_SECONDS:
            self._flush()
            self._checkpoint()
        elif at - self._flushed > FLUSH_SECONDS:
            self._flush()

    def _flush(self) -> None:
        block = self._columns.block()
        for record in (*([block] if block else []), *self._rows.records(), self._timing):
            self._write(record)
        self._flushed = time.monotonic()

    def _checkpoint(self) -> None:
        twin = {name: a.copy() for name, a in self._twin.params.items()}
        shadows = tuple(s.params for s in self._shadows.shadows)
        state = State(self._step, self._before, twin, self._start, shadows, self._injected, self._allowed.allowed)
        said = write_checkpoint(self._writer.path.parent, self._dtype, state)
        self._write(said)
        forget_others(self._writer.path.parent, said)
        self._saved = time.monotonic()

    def _write(self, record: Record) -> None:
        self._writer.write(record)
