import { AgentExistsError, ValidationError } from '../errors.ts';
import type { AgentInfo, AgentStatus } from '../model/agent.ts';
import { randomUUID } from '../model/crypto.ts';
import { checkLease } from '../model/encode-commit.ts';
import { checkObject, generateAgentId, validateAgentId } from '../model/ids.ts';
import { reading } from '../model/json.ts';
import { listOf } from '../model/lists.ts';
import type { ContentBlock } from '../model/message.ts';
import type { ToolCallRecord } from '../model/tool-call.ts';
import { anyLookingSignal } from '../store/looking-signal.ts';
import type { AgentLease, Store } from '../store/store.ts';
import {
  checkCreateOptions,
  checkNote,
  checkOpenOptions,
  checkResumeOptions,
  checkSpawnOptions,
  checkTurnOptions,
  type DecisionNote,
} from './agent-arguments.ts';
import type { CreateOptions, ModelOption, OpenOptions, ResumeOptions, TurnOptions } from './agent-options.ts';
import { type CompactionResult, compact } from './compaction.ts';
import { ApprovalRequiredError, MaxStepsError, TurnInterruptedError } from './errors.ts';
import { giveBack, orGiveBack, orNotOpened } from './give-back.ts';
import { Journal } from './journal.ts';
import { runTurn, type TurnInput } from './loop.ts';
import { type LanguageModel, validateModel } from './model.ts';
import { notMade, orNotMade } from './not-made.ts';
import { orAborted } from './or-aborted.ts';
import { parseOutput } from './output.ts';
import { PartStream } from './part-stream.ts';
import type { ReadyTemplate } from './ready-template.ts';
import { readyTemplate } from './ready-template.ts';
import { recover } from './recover.ts';
import { loadSdk } from './sdk.ts';
import { type OpenHelper, spawner } from './spawn.ts';
import type { AgentStreamPart } from './stream-part.ts';
import type { AgentTemplate } from './template.ts';
import type { Turn, TurnResult } from './turn.ts';
import { TurnQueue } from './turn-queue.ts';

/** A helper's parent died with it: its lease ends at the same time, and a little patience spares an error. */
export const HELPER_WAIT_MS = 20_000;

interface Parts {
  store: Store;
  model: LanguageModel;
  template: ReadyTemplate;
  givenTemplate: AgentTemplate;
  journal: Journal;
}

/**
 * An agent: a conversation with a model that calls tools, in which every step is stored before the next one
 * begins. It holds its lease until `close()`, `store.close()` or the end of its process.
 *
 * @example
 * const agent = await Agent.create({ provider: anthropic('…'), store, template: { id: 'clerk', tools: [refund] } });
 * const result = await agent.run('Refund order 1042.');
 * if (result.status === 'awaiting_approval') await agent.approve(result.approvals[0].toolCallId, { by: 'ana' });
 * console.log((await agent.run()).text);
 */
export class Agent {
  /** Bundlers rename a class that speaks of itself; users see it in what they log. */
  static readonly name = 'Agent';
  readonly #parts: Parts;
  /** The turn under way, and the last of those that wait behind it. They resolve however the turns end. */
  readonly #turns: TurnQueue;
  #closed: Promise<void> | undefined;

  private constructor(parts: Parts) {
    this.#parts = parts;
    this.#turns = new TurnQueue(parts.journal.agentId);
  }

  /** A new agent. `AgentExistsError` if there is one with this id; `AgentNotOpenedError` if only its opening fails. */
  static async create(options: CreateOptions): Promise<Agent> {
    const checked = checkCreateOptions(options);
    const { store, template, agentId = generateAgentId(), userId, metadata } = checked;
    const model = modelOf(checked);
    const ready = readyTemplate(template);
    validateAgentId(agentId);
    await loadSdk();
    await store.commit(agentId, { info: { templateId: ready.id, userId, metadata }, expectedVersion: 0 });
    const { ttlMs, holder } = checked;
    return orNotOpened(agentId, async () => {
      const lease = await store.acquireAgentLock(agentId, { ttlMs, holder });
      return orGiveBack(lease, async () => {
        const journal = new Journal(store, lease);
        await journal.loadNew();
        return Agent.#start({ store, model, template: ready, givenTemplate: template, journal });
      });
    });
  }

  /**
   * An agent that exists, in any process. Calls that a crash cut off are sealed, or made ready to run again
   * if their tool is idempotent. Never calls the model: `run()` goes on. `LockTimeoutError` while another
   * holder has the lease.
   */
  static async resume(agentId: string, options: ResumeOptions): Promise<Agent> {
    validateAgentId(agentId);
    const checked = checkResumeOptions(options);
    const { store, template, lease: given, waitMs = 0, ttlMs, holder } = checked;
    const model = modelOf(checked);
    if (given !== undefined) checkLease(agentId, given);
    if (typeof template !== 'function') readyTemplate(template);
    await loadSdk();
    const start = async (lease: AgentLease) => {
      const chosen = typeof template === 'function' ? template(await infoOf(store, agentId)) : template;
      const journal = new Journal(store, lease);
      await journal.load();
      journal.isWorkers = given !== undefined && journal.info.attempts > 0;
      return Agent.#start({ store, model, template: readyTemplate(chosen), givenTemplate: chosen, journal });
    };
    if (given !== undefined) return start(given);
    const lease = await orNotMade(agentId, store.acquireAgentLock(agentId, { waitMs, ttlMs, holder }));
    return orGiveBack(lease, () => start(lease));
  }

  /** Resumes the agent, or creates it. Of two processes that do it at once, one creates it. */
  static async open(agentId: string, options: OpenOptions): Promise<Agent> {
    validateAgentId(agentId);
    const { userId, metadata, ...checked } = checkOpenOptions(options);
    const { store, template } = checked;
    if (!(await store.exists(agentId))) {
      const chosen = typeof template === 'function' ? undefined : template;
      if (chosen === undefined) {
        throw new ValidationError('template', 'must be a template, not a function, for an agent that is new');
      }
      modelOf(checked);
      const { id: templateId } = readyTemplate(chosen);
      await loadSdk();
      try {
        await store.commit(agentId, { info: { templateId, userId, metadata }, expectedVersion: 0 });
      } catch (error) {
        if (!(error instanceof AgentExistsError)) throw error;
      }
    }
    return Agent.resume(agentId, checked);
  }

  static async #start(parts: Parts): Promise<Agent> {
    await recover(parts.journal, parts.template);
    return new Agent(parts);
  }

  /** The agent's id in its store. */
  get agentId(): string {
    return this.#parts.journal.agentId;
  }

  /** The lease that this object holds: for writes of your own to the agent while it is open. */
  get lease(): AgentLease {
    return this.#parts.journal.lease;
  }

  /** What the agent does or waits for, as it was last stored. */
  get status(): AgentStatus {
    return this.#parts.journal.status;
  }

  /** What is stored of the agent beside its conversation, as this object last loaded or stored it. */
  get info(): AgentInfo {
    return structuredClone(this.#parts.journal.info);
  }

  /** The agent's to-dos, as they were last stored. */
  get todos(): readonly unknown[] {
    return this.#parts.journal.todos?.todos ?? [];
  }

  /** Resolves to the answer's text once it is stored. Rejects when the turn ends in any other way. */
  async send(input: string | ContentBlock[], options: TurnOptions = {}): Promise<string> {
    const result = await this.run(input, options);
    switch (result.status) {
      case 'completed':
        return result.text;
      case 'awaiting_approval':
        throw new ApprovalRequiredError(this.agentId, result.approvals);
      case 'interrupted':
        throw new TurnInterruptedError(this.agentId);
      case 'max_steps':
        throw new MaxStepsError(this.agentId);
    }
  }

  /** A turn; without an input, the rest of the one that was cut off, interrupted or decided. */
  run(input?: string | ContentBlock[], options: TurnOptions = {}): Promise<TurnResult> {
    return this.#turn(input, options, () => undefined);
  }

  /**
   * A turn, part by part. It begins at once and goes on when its reader leaves; `signal` and `interrupt()` stop it.
   */
  stream(input?: string | ContentBlock[], options: TurnOptions = {}): AsyncIterableIterator<AgentStreamPart> {
    const parts = new PartStream(this.agentId);
    let finish: AgentStreamPart | undefined;
    const end = (failure?: { error: unknown }) => {
      if (finish) parts.push(finish);
      parts.end(failure);
    };
    this.#turn(input, options, (part) => {
      // Whoever reads that the turn has ended may begin the next one: it is told when that is so.
      if (part.type === 'finish') finish = part;
      else parts.push(part);
    }).then(
      () => end(),
      (error: unknown) => end({ error }),
    );
    return parts;
  }

  /** The calls that wait for a decision. */
  pendingApprovals(): Promise<ToolCallRecord[]> {
    return this.#parts.journal.loadWaiting();
  }

  /** Allows a call, once. It runs with the next `run()`, here or in another process. */
  async approve(toolCallId: string, decision: DecisionNote = {}): Promise<ToolCallRecord> {
    const { store } = this.#parts;
    return store.decideApproval(this.agentId, toolCallId, { ...checkNote(decision), decision: 'allow' });
  }

  /** Denies a call, once. The model is told so, with the note, by the next `run()`. */
  async deny(toolCallId: string, decision: DecisionNote = {}): Promise<ToolCallRecord> {
    const { store } = this.#parts;
    return store.decideApproval(this.agentId, toolCallId, { ...checkNote(decision), decision: 'deny' });
  }

  /** Names the conversation as it is now, and returns the name. */
  async snapshot(label = `snap-${randomUUID()}`): Promise<string> {
    this.#turns.assertOpen();
    await this.#parts.journal.commit({ snapshot: { id: label } });
    return label;
  }

  /** A new agent with this one's conversation, or its part before `at` (a snapshot's name or a number of messages). */
  async fork(options: { at?: string | number; agentId?: string } = {}): Promise<Agent> {
    this.#turns.assertOpen();
    const { store, model, givenTemplate } = this.#parts;
    const agentId = await store.fork(this.agentId, options);
    return orNotOpened(agentId, () => Agent.resume(agentId, { store, model, template: givenTemplate }));
  }

  /** Replaces the conversation by a summary for the model; the archive keeps it. Undefined when there is nothing to do. */
  compact(): Promise<CompactionResult | undefined> {
    return this.#turns.run('reject', async (interrupted) => {
      const { journal } = this.#parts;
      await this.#refresh();
      await journal.refreshApprovals();
      if (journal.waitingCalls.length > 0) {
        throw new ApprovalRequiredError(this.agentId, await journal.loadWaiting());
      }
      if (journal.stepIsOpen) {
        throw new ValidationError(
          'compact',
          "has to wait: calls of the last answer haven't run. Go on with run()",
        );
      }
      const signal = anyLookingSignal([interrupted, journal.lease.signal]);
      return compact(this.#newTurn(signal, undefined, undefined, () => undefined));
    });
  }

  /** Replaces the to-dos. */
  async setTodos(todos: unknown[]): Promise<void> {
    this.#turns.assertOpen();
    await this.#parts.journal.commit({ todos: { todos } });
  }

  /** Replaces the agent's metadata, also while a turn runs. */
  async setMetadata(metadata: Record<string, unknown>): Promise<void> {
    this.#turns.assertOpen();
    await this.#parts.journal.commit({ info: { metadata } });
  }

  /** Stops the turn under way, if there is one, and resolves when it has stopped. What had arrived is kept. */
  interrupt(): Promise<void> {
    return this.#turns.interrupt();
  }

  /**
   * Interrupts the turn under way and gives the lease back. The agent object can't be used any more. Never
   * rejects, so that a `finally` hides no error: when the store can't be reached, the lease runs out by
   * itself, and a warning of the process (`LEASE_NOT_GIVEN_BACK`) says when.
   */
  close(): Promise<void> {
    this.#closed ??= this.#turns.close().then(() => giveBack(this.#parts.journal.lease));
    return this.#closed;
  }

  /** The same as `close()`: for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #turn(
    input: string | ContentBlock[] | undefined,
    options: TurnOptions,
    emit: (part: AgentStreamPart) => void,
  ): Promise<TurnResult> {
    const { signal: callers, operationId, output, whenBusy = 'reject' } = checkTurnOptions(options);
    const content = contentOf(input);
    return this.#turns.run(whenBusy, async (interrupted) => {
      const { journal } = this.#parts;
      await this.#refresh();
      if (content === undefined && journal.messageCount === 0 && journal.status === 'idle') {
        throw new ValidationError('input', 'is missing, and the agent has no conversation to go on with');
      }
      const signals = [interrupted, journal.lease.signal, ...(callers ? [callers] : [])];
      const signal = anyLookingSignal(signals);
      const turn = this.#newTurn(signal, operationId, output, emit);
      const start: TurnInput | undefined = content && { content, operationId };
      const { status, text, finishReason } = await runTurn(turn, start);
      return {
        status,
        text,
        finishReason,
        ...(output !== undefined && status === 'completed'
          ? { output: await orAborted(signal, parseOutput(text, output)) }
          : {}),
        approvals: status === 'awaiting_approval' ? await journal.loadWaiting() : [],
        usage: turn.usage,
      };
    });
  }

  #newTurn(
    signal: AbortSignal,
    operationId: string | undefined,
    output: unknown,
    emit: (part: AgentStreamPart) => void,
  ): Turn {
    const { journal, template, model } = this.#parts;
    return {
      id: operationId ?? randomUUID(),
      journal,
      template,
      model,
      signal,
      output,
      emit,
      spawn: (call, callSignal) =>
        spawner(journal.agentId, call.callSeq, callSignal, journal.clock, this.#helpersOf(call.toolCallId)),
      cleared: new Set(),
      watched: false,
      steps: 0,
      usage: {},
    };
  }

  #helpersOf(toolCallId: string): OpenHelper {
    const { store, model } = this.#parts;
    return async (id, template, options) => {
      const { provider = model, metadata } = checkSpawnOptions(options);
      validateModel(provider);
      if (!(await store.exists(id))) {
        const parent = { parentAgentId: this.agentId, parentToolCallId: toolCallId };
        const info = { templateId: readyTemplate(template).id, metadata, ...parent };
        await store.commit(id, { info, expectedVersion: 0 });
      }
      const helper = await Agent.resume(id, { store, provider, template, waitMs: HELPER_WAIT_MS });
      return {
        agentId: id,
        hasMessages: helper.#parts.journal.messageCount > 0,
        run: (input, options) => helper.run(input, options),
        pendingApprovals: () => helper.pendingApprovals(),
        close: () => helper.close(),
      };
    };
  }

  /** What is remembered is what is stored, also after a commit of which nobody knows whether it succeeded. */
  async #refresh(): Promise<void> {
    const { journal, template } = this.#parts;
    journal.assertLeased();
    if (!journal.outdated) return;
    await journal.load();
    await recover(journal, template);
  }
}

function modelOf({ provider, model = provider }: ModelOption): LanguageModel {
  validateModel(model);
  return model;
}

async function infoOf(store: Store, agentId: string): Promise<AgentInfo> {
  const info = await store.loadInfo(agentId);
  if (info === undefined) throw notMade(agentId);
  return info;
}

function contentOf(input: string | ContentBlock[] | undefined): ContentBlock[] | undefined {
  if (input === undefined) return undefined;
  return reading('input', () => {
    const content = typeof input === 'string' ? [{ type: 'text', text: input }] : input;
    if (input === '' || !Array.isArray(content) || content.length === 0) {
      throw new ValidationError('input', 'must be a text or an array of content blocks, and not empty');
    }
    // At once: what becomes of the caller's array while the turn waits is none of its business.
    return listOf('input', content, (block, field) => checkObject(field, block));
  });
}
