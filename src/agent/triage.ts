import { quoted } from '../errors.ts';
import { appendAll } from '../model/lists.ts';
import type { ContentBlock, ToolResultBlock, ToolUseBlock } from '../model/message.ts';
import type { ToolCallUpdate } from '../model/tool-call.ts';
import type { StepAnswer } from './ask-model.ts';
import { messageOf } from './failure.ts';
import type { StepCall } from './journal.ts';
import type { KnownTool } from './known-tools.ts';
import { orAborted } from './or-aborted.ts';
import { promptOf } from './prompt.ts';
import { loadSdk } from './sdk.ts';
import { parseInput } from './sdk-tools.ts';
import type { Notice, Turn } from './turn.ts';

/** What is stored of an answer's calls together with the answer. */
interface Triage {
  updates: ToolCallUpdate[];
  notices: Notice[];
  /** Whether there are calls that aren't the provider's. */
  ours: boolean;
}

type NewCall = Pick<StepCall, 'callSeq' | 'toolCallId' | 'toolName' | 'input'>;

/** What becomes of a call that hasn't begun. */
type Verdict = { state: 'pending' } | { state: 'approval_required' } | { state: 'failed'; error: string };

/** Decides for each call of an answer whether it may run, waits for somebody, or fails before it begins. */
export async function triage(turn: Turn, { blocks, refusals }: StepAnswer): Promise<Triage> {
  const uses = blocks.filter(isToolUse);
  const first = turn.journal.nextCallSeq;
  const sorted = await Promise.all(
    uses.map(async (block, i): Promise<Triage> => {
      const call = { callSeq: first + i, toolCallId: block.id, toolName: block.name, input: block.input };
      if (block.providerExecuted) return ofProvider(call, blocks);
      const refusal = refusals[i];
      return ofOurs(
        call,
        refusal === undefined ? await judge(turn, call) : { state: 'failed', error: refusal },
      );
    }),
  );
  return {
    updates: [...sorted.flatMap(({ updates }) => updates), ...beginning(turn, uses, first)],
    notices: sorted.flatMap(({ notices }) => notices),
    ours: sorted.some(({ ours }) => ours),
  };
}

/** Those that begin at once are stored as executing with their answer, which saves each a commit of its own. */
function beginning(
  { cleared, template, signal }: Turn,
  uses: ToolUseBlock[],
  first: number,
): ToolCallUpdate[] {
  if (signal.aborted) return [];
  return uses
    .map(({ id, name }, i) => ({ toolCallId: id, toolName: name, callSeq: first + i }))
    .filter(
      ({ callSeq, toolName }) => cleared.has(callSeq) && template.tools.get(toolName)?.execute !== undefined,
    )
    .slice(0, template.toolConcurrency)
    .map(({ toolCallId, callSeq }) => ({ toolCallId, callSeq, state: 'executing' }));
}

/**
 * Also for calls that are found not begun after a crash: who hasn't been asked for approval is asked now. A call
 * of a turn that is stopped meanwhile stays as it is, and isn't cleared to run.
 */
export async function judge(turn: Turn, call: NewCall): Promise<Verdict> {
  const tool = turn.template.tools.get(call.toolName);
  if (tool === undefined)
    return { state: 'failed', error: `There is no tool named ${quoted(call.toolName)}.` };
  try {
    const asks = await orAborted(turn.signal, asksFirst(turn, tool, call));
    if (!asks) turn.cleared.add(call.callSeq);
    return { state: asks ? 'approval_required' : 'pending' };
  } catch (error) {
    if (turn.signal.aborted) return { state: 'pending' };
    return { state: 'failed', error: messageOf(error) };
  }
}

async function asksFirst(turn: Turn, tool: KnownTool, call: NewCall): Promise<boolean> {
  const input = await parseInput(await loadSdk(), tool, call.input);
  return tool.needsApproval(input, {
    toolCallId: call.toolCallId,
    get messages() {
      return promptOf(turn, turn.journal.context);
    },
  });
}

export function updateOf(
  { callSeq, toolCallId }: NewCall,
  change: Pick<ToolCallUpdate, 'state' | 'output' | 'error' | 'durationMs'>,
): ToolCallUpdate {
  return { toolCallId, callSeq, ...change };
}

export function noticesOf(call: NewCall, verdict: Verdict): Notice[] {
  const { callSeq, toolCallId, toolName } = call;
  const name = { callSeq, toolCallId, toolName };
  if (verdict.state === 'failed') {
    return [
      {
        event: { channel: 'progress', type: 'tool-error', ...name },
        part: { type: 'tool-error', ...call, error: verdict.error },
      },
    ];
  }
  if (verdict.state === 'pending') return [];
  return [
    {
      event: { channel: 'control', type: 'tool-approval-request', ...name },
      part: { type: 'tool-approval-request', approvalId: String(callSeq), toolCall: { ...call } },
    },
  ];
}

/** The calls of an answer that was cut off: the provider's are done, ours didn't begin and won't. */
export function sealCalls(
  blocks: ContentBlock[],
  firstCallSeq: number,
): { updates: ToolCallUpdate[]; results: ContentBlock[] } {
  const error = 'The answer that asked for this call was cut off: the call did not begin.';
  const updates: ToolCallUpdate[] = [];
  const results: ContentBlock[] = [];
  blocks.filter(isToolUse).forEach((block, i) => {
    const callSeq = firstCallSeq + i;
    const call = { callSeq, toolCallId: block.id, toolName: block.name, input: block.input };
    if (block.providerExecuted) appendAll(updates, ofProvider(call, blocks).updates);
    else {
      updates.push({ toolCallId: block.id, callSeq, state: 'sealed', isError: true, error });
      results.push({ type: 'tool_result', tool_use_id: block.id, content: error, is_error: true });
    }
  });
  return { updates, results };
}

function ofOurs(call: NewCall, verdict: Verdict): Triage {
  return {
    updates: verdict.state === 'pending' ? [] : [updateOf(call, verdict)],
    notices: [asked(call), ...noticesOf(call, verdict)],
    ours: true,
  };
}

/** The provider ran it, and its result lies in the answer. */
function ofProvider(call: NewCall, blocks: ContentBlock[]): Triage {
  const { callSeq, toolCallId, toolName } = call;
  const result = blocks.find(
    (block): block is ToolResultBlock => block.type === 'tool_result' && block.tool_use_id === toolCallId,
  );
  const failed = result?.is_error === true;
  const output = result === undefined ? {} : { output: result.content };
  return {
    updates: [{ toolCallId, callSeq, state: failed ? 'failed' : 'completed', ...output }],
    notices: [
      asked({ ...call, providerExecuted: true }),
      {
        event: {
          channel: 'progress',
          type: 'tool-result',
          callSeq,
          toolCallId,
          toolName,
          providerExecuted: true,
        },
        part: { type: 'tool-result', ...call, output: result?.content ?? null, providerExecuted: true },
      },
    ],
    ours: false,
  };
}

function asked(call: NewCall & { providerExecuted?: boolean }): Notice {
  const { input: _shownByTheMessage, ...name } = call;
  return { event: { channel: 'progress', type: 'tool-call', ...name }, part: { type: 'tool-call', ...call } };
}

function isToolUse(block: ContentBlock): block is ToolUseBlock {
  return block.type === 'tool_use';
}
