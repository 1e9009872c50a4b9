import type { ModelUsage } from '../model/agent.ts';
import type { Clock } from '../model/clock.ts';
import type { ContentBlock, Message } from '../model/message.ts';
import { Answer, type SdkPart, withoutUndefined } from './answer.ts';
import { configHash } from './config-hash.ts';
import { DeltaWriter } from './delta-writer.ts';
import { messageOf, modelError } from './failure.ts';
import { type LeftOutBlock, LeftOutBlocks } from './left-out.ts';
import { mended } from './mended-model.ts';
import { defaultProviderOptions, type LanguageModel, modelIdOf } from './model.ts';
import { orAborted } from './or-aborted.ts';
import { promptOf } from './prompt.ts';
import { loadSdk, type Sdk } from './sdk.ts';
import { sdkTools } from './sdk-tools.ts';
import { sendable } from './sendable.ts';
import type { Repair } from './storable.ts';
import type { AgentStreamPart, TokenUsage } from './stream-part.ts';
import type { ModelSettings } from './template.ts';
import type { ModelMessage, SystemModelMessage } from './translate/model-message.ts';
import type { Turn } from './turn.ts';

/** What one call to the model gave. */
export interface StepAnswer {
  blocks: ContentBlock[];
  /** For each call of the answer, in order: why it can't be run, or undefined. */
  refusals: (string | undefined)[];
  /** What of it couldn't be stored as it came. */
  repairs: readonly Repair[];
  /** What of the conversation the model wasn't sent. */
  leftOut: readonly LeftOutBlock[];
  finishReason: string;
  tokens: TokenUsage;
  usage: ModelUsage;
  /** Tokens that the conversation takes up after this answer, where the provider tells. */
  contextTokens: number | undefined;
  /** Why the answer isn't whole: the turn was stopped, or the call failed on the way. */
  cut: unknown;
}

/** Whether anything came for which somebody pays. */
export function isPaid({ blocks, tokens }: Pick<StepAnswer, 'blocks' | 'tokens'>): boolean {
  return blocks.length > 0 || Object.values(tokens).some((count) => count > 0);
}

/** What is sent for one step. */
interface Request {
  model: LanguageModel;
  system: string | SystemModelMessage[] | undefined;
  messages: ModelMessage[];
  settings: ModelSettings;
  /** What of the conversation isn't in it. */
  leftOut: readonly LeftOutBlock[];
}

/** What streamed by is shown at once; calls and steps are shown when they are stored. */
const SHOWN_AT_ONCE = /^(text|reasoning|tool-input)-(start|delta|end)$|^(source|file)$/;

/**
 * Asks the model for the next answer of a turn. It only reads what is stored; storing the answer is the turn's.
 * Undefined when the turn was stopped before anything was asked.
 */
export async function askModel(turn: Turn): Promise<StepAnswer | undefined> {
  let request: Request;
  try {
    request = await orAborted(turn.signal, prepare(turn));
  } catch (error) {
    if (turn.signal.aborted) return undefined;
    throw error;
  }
  const { stepNumber } = turn.journal;
  turn.steps += 1;
  turn.emit({ type: 'start-step', stepNumber });
  const deltas = new DeltaWriter(turn, stepNumber);
  try {
    return await callModel(turn, request, (part) => {
      deltas.add(part);
      if (SHOWN_AT_ONCE.test(part.type)) turn.emit(part as unknown as AgentStreamPart);
    });
  } finally {
    await deltas.stop();
  }
}

/**
 * Asks about the conversation, beside the turn: nothing of it is shown. The tools stay in the request, because
 * providers refuse calls in a prompt without them, and because the prompt's beginning is then in the cache.
 */
export function askAside(turn: Turn, conversation: Message[]): Promise<StepAnswer> {
  const { systemPrompt: system, settings } = turn.template;
  const messages = promptOf(turn, conversation);
  const request = {
    model: turn.model,
    system,
    messages,
    settings: { ...settings, toolChoice: 'auto' as const },
    leftOut: [],
  };
  return callModel({ ...turn, output: undefined }, request, () => undefined);
}

async function callModel(turn: Turn, request: Request, watch: (part: SdkPart) => void): Promise<StepAnswer> {
  const sdk = await loadSdk();
  const answer = new Answer();
  // Settings that can't be hashed are the caller's; the answer to them is paid for all the same.
  const hash = configHash(sdk, turn.template, request).catch(() => undefined);
  const clock = new StepClock(turn.journal.clock);
  let cut: unknown;
  let isLeft = false;
  const read = async () => {
    const model = mended(request.model, answer.repairs);
    for await (const part of await stream(sdk, turn, { ...request, model })) {
      // What a model says that didn't stop with its turn is nobody's any more.
      if (isLeft) return;
      if (part.type === 'error') cut = modelError(part.error);
      if (part.type === 'abort') cut = turn.signal.reason;
      clock.see(part);
      see(part, answer, watch);
    }
    if (!answer.isWhole) cut ??= modelError('the answer broke off before its end');
  };
  try {
    await orAborted(turn.signal, read());
  } catch (error) {
    cut = modelError(error);
  }
  isLeft = true;
  const { inputTokens, outputTokens } = answer.usage;
  return {
    blocks: cut === undefined ? answer.blocks() : answer.partialBlocks(),
    repairs: answer.repairs.list,
    leftOut: request.leftOut,
    refusals: answer.refusals(),
    finishReason: answer.finishReason,
    tokens: answer.usage,
    contextTokens: inputTokens === undefined ? undefined : inputTokens + (outputTokens ?? 0),
    usage: {
      model: answer.modelId ?? modelIdOf(request.model),
      ...answer.usage,
      ...clock.times(),
      ...withoutUndefined({ configHash: await orAborted(turn.signal, hash).catch(() => undefined) }),
    },
    cut,
  };
}

/** A part that can't be made sense of costs what is in it, and nothing else of the answer. */
function see(part: SdkPart, answer: Answer, watch: (part: SdkPart) => void): void {
  try {
    answer.add(part);
    watch(part);
  } catch (error) {
    answer.repairs.note(String(part.type), `can't be read (${messageOf(error)}): left out`);
  }
}

/** The prompt as it is stored, unless `prepareStep` changes what is sent. */
async function prepare(turn: Turn): Promise<Request> {
  const { template, journal, model } = turn;
  const leftOut = new LeftOutBlocks(journal, journal.context);
  const messages = promptOf(turn, journal.context, leftOut.add);
  const changes = (await template.prepareStep?.({ messages, stepNumber: journal.stepNumber })) ?? {};
  const {
    messages: sent = messages,
    system = template.systemPrompt,
    model: other = model,
    ...settings
  } = changes;
  return {
    model: other,
    system,
    messages: sent,
    settings: { ...template.settings, ...withoutUndefined(settings) },
    leftOut: leftOut.list,
  };
}

async function stream(sdk: Sdk, turn: Turn, request: Request): Promise<AsyncIterable<SdkPart>> {
  const { model, system, messages, settings } = request;
  const { providerOptions, ...rest } = settings;
  const defaults = defaultProviderOptions(model);
  const options = {
    ...rest,
    model,
    messages: sendable(sdk, messages),
    // Messages of the system within the conversation were stored by the application, never by a user.
    allowSystemInMessages: true,
    abortSignal: turn.signal,
    providerOptions: mergeOptions(defaults, providerOptions),
    onError: () => undefined,
    ...(system === undefined ? {} : { system }),
    ...(turn.template.tools.size === 0 ? {} : { tools: await sdkTools(sdk, turn.template.tools) }),
    ...(turn.output === undefined ? {} : { output: sdk.Output.object({ schema: turn.output as never }) }),
  };
  // The types of ai 6 and 7 differ where the values don't: `fullStream` gives the same parts in both.
  return sdk.streamText(options as never).fullStream as AsyncIterable<unknown> as AsyncIterable<SdkPart>;
}

function mergeOptions(
  defaults: Record<string, Record<string, unknown>>,
  given: ModelSettings['providerOptions'] = {},
): Record<string, Record<string, unknown>> {
  const merged = { ...defaults, ...given };
  for (const [name, options] of Object.entries(defaults)) merged[name] = { ...options, ...given[name] };
  return merged;
}

/** How long the call took, and how long until something of the answer arrived. */
class StepClock {
  readonly #clock: Clock;
  readonly #start: number;
  #first: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#start = clock.monotonic();
  }

  see({ type }: SdkPart): void {
    if (/^(text|reasoning|tool-input)-delta$|^tool-call$/.test(type)) this.#first ??= this.#clock.monotonic();
  }

  times(): { latencyMs: number; timeToFirstTokenMs?: number } {
    const latencyMs = Math.round(this.#clock.monotonic() - this.#start);
    if (this.#first === undefined) return { latencyMs };
    return { latencyMs, timeToFirstTokenMs: Math.round(this.#first - this.#start) };
  }
}
