import { quoted } from '../errors.ts';
import { timeoutSignal } from '../model/clock.ts';
import { checkJson, writeJson } from '../model/json.ts';
import { anyLookingSignal } from '../store/looking-signal.ts';
import { messageOf } from './failure.ts';
import { isOpen, type StepCall } from './journal.ts';
import type { KnownTool } from './known-tools.ts';
import { orAborted } from './or-aborted.ts';
import { promptOf } from './prompt.ts';
import { loadSdk } from './sdk.ts';
import { parseInput } from './sdk-tools.ts';
import { commitOutcome, commitResults, nameOf, type Outcome, type StepEnd } from './step-end.ts';
import type { ToolContext } from './tool-context.ts';
import { judge, noticesOf, updateOf } from './triage.ts';
import { record, type Turn } from './turn.ts';

const NOT_BEGUN = 'The turn was interrupted before this call began.';
const INTERRUPTED = 'The turn was interrupted while this call ran; it may have taken effect.';

/**
 * Runs what may run of the step's calls, side by side. Those that wait for a decision stay as they are;
 * if none does, the step's results are in the conversation afterwards.
 */
export async function runCalls(turn: Turn, step: StepEnd): Promise<void> {
  const { journal, template } = turn;
  await journal.refreshApprovals();
  await judgeAgain(turn);
  const runnable = journal.calls.filter((call) => isOpen(call) && call.state !== 'approval_required');
  await sideBySide(runnable, template.toolConcurrency, async (call) => {
    await commitOutcome(turn, step, call, await timed(turn, call));
  });
  if (journal.stepIsOpen && journal.waitingCalls.length === 0) await commitResults(turn, step);
}

/** Calls that another process opened, or that were opened before a crash, and of which nobody has judged here. */
async function judgeAgain(turn: Turn): Promise<void> {
  const unknown = turn.journal.calls.filter(
    (call) => call.state === 'pending' && !turn.cleared.has(call.callSeq),
  );
  const verdicts = await Promise.all(unknown.map(async (call) => [call, await judge(turn, call)] as const));
  const changed = verdicts.filter(([, verdict]) => verdict.state !== 'pending');
  if (changed.length === 0) return;
  await record(
    turn,
    { toolCalls: changed.map(([call, verdict]) => updateOf(call, verdict)) },
    changed.flatMap(([call, verdict]) => noticesOf(nameOf(call), verdict)),
  );
}

/** What the store measures of a call that a crash cut off would be the time that nobody ran it, too. */
async function timed(turn: Turn, call: StepCall): Promise<Outcome> {
  const isAgain = hasBegun(turn, call);
  const { clock } = turn.journal;
  const start = clock.monotonic();
  const outcome = await runCall(turn, call);
  return isAgain ? { ...outcome, durationMs: Math.round(clock.monotonic() - start) } : outcome;
}

/**
 * That a call begins is stored before it begins, if it wasn't with the answer that asked for it, and how it
 * ended before anybody sees it: what a crash cuts off in between is known to have begun.
 */
async function runCall(turn: Turn, call: StepCall): Promise<Outcome> {
  const tool = turn.template.tools.get(call.toolName);
  if (turn.signal.aborted) return failed(hasBegun(turn, call) ? INTERRUPTED : NOT_BEGUN);
  if (tool?.execute === undefined) return failed(`There is no tool named ${quoted(call.toolName)}.`);
  const address = { toolCallId: call.toolCallId, callSeq: call.callSeq };
  let input: unknown;
  try {
    input = await orAborted(turn.signal, parseInput(await loadSdk(), tool, call.input));
  } catch (error) {
    if (turn.signal.aborted) return failed(hasBegun(turn, call) ? INTERRUPTED : NOT_BEGUN);
    return failed(messageOf(error));
  }
  if (call.state !== 'executing') await record(turn, { toolCalls: [{ ...address, state: 'executing' }] }, []);
  let output: unknown;
  try {
    output = await execute(turn, tool, tool.execute, call, input);
    output = plain(output);
  } catch (error) {
    return failed(messageOf(error));
  }
  return { state: 'completed', output };
}

/** The output as JSON has it, looked at once: what getters and proxies say the next time is of no account. */
function plain(output: unknown): unknown {
  checkJson(output, 'output');
  const text = writeJson(output, 'output');
  return text === undefined ? undefined : JSON.parse(text);
}

function failed(error: string): Outcome {
  return { state: 'failed', error };
}

/** One that this turn asked for is stored as executing with the answer already, a moment before it begins. */
function hasBegun(turn: Turn, call: StepCall): boolean {
  return call.state === 'executing' && !turn.cleared.has(call.callSeq);
}

/** Calls the tool. A tool that ignores its signal is left behind when its time is up. */
async function execute(
  turn: Turn,
  tool: KnownTool,
  run: NonNullable<KnownTool['execute']>,
  call: StepCall,
  input: unknown,
): Promise<unknown> {
  const { clock } = turn.journal;
  const timer = tool.timeoutMs === undefined ? undefined : timeoutSignal(clock, tool.timeoutMs);
  const timeout = timer?.signal;
  const signal = timeout ? anyLookingSignal([turn.signal, timeout]) : turn.signal;
  const cutOff = new Promise<never>((_resolve, reject) => {
    const stop = () => {
      const late = timeout?.aborted === true && !turn.signal.aborted;
      reject(
        new Error(
          late ? `It didn't end within ${tool.timeoutMs} ms; it may have taken effect.` : INTERRUPTED,
        ),
      );
    };
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
  const running = drain(turn, call, () => run(input, contextOf(turn, call, signal)));
  return Promise.race([running, cutOff]).finally(() => timer?.cancel());
}

/** The last of the outputs that a tool yields is its output; the others are shown as they come. */
async function drain(turn: Turn, call: StepCall, run: () => unknown): Promise<unknown> {
  const returned = await run();
  if (!isAsyncIterable(returned)) return returned;
  let last: unknown;
  for await (const output of returned) {
    last = output;
    turn.emit({ type: 'tool-result', ...nameOf(call), output, preliminary: true });
  }
  return last;
}

function contextOf(turn: Turn, call: StepCall, signal: AbortSignal): ToolContext {
  const { journal } = turn;
  const { agentId } = journal;
  return {
    agentId,
    toolCallId: call.toolCallId,
    callSeq: call.callSeq,
    idempotencyKey: `${agentId}:${call.callSeq}`,
    signal,
    abortSignal: signal,
    // Few tools look at the conversation, and it may be long.
    get messages() {
      return promptOf(turn, journal.context.slice(0, -1));
    },
    emit: (event) => journal.store.appendEvent(agentId, event),
    setTodos: async (todos) => {
      await journal.commit({ todos: { todos } });
    },
    spawn: turn.spawn(call, signal),
  };
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}

/** Runs `work` for all items, at most `limit` at a time. Waits for all of them before it reports a failure. */
async function sideBySide<T>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  const worker = async () => {
    for (const item of queue) await work(item);
  };
  const settled = await Promise.allSettled(Array.from({ length: Math.min(limit, items.length) }, worker));
  const failed = settled.find((one) => one.status === 'rejected');
  if (failed) throw failed.reason;
}
