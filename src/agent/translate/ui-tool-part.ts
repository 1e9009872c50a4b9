import type { ToolResultBlock, ToolUseBlock } from '../../model/message.ts';
import type { ToolCallRecord } from '../../model/tool-call.ts';
import type { ModelProviderOptions } from './model-message.ts';
import { CUT_OFF } from './to-model-messages.ts';
import { outputOf } from './tool-output.ts';
import type { UIApproval, UIToolPart, UIToolState } from './ui-message.ts';
import { optionsOf } from './values.ts';

/** What is known about a tool call, gathered from all over a conversation. */
export interface CallSoFar {
  use: ToolUseBlock;
  record?: ToolCallRecord | undefined;
  result?: ToolResultBlock | undefined;
  /** The SDK's own approval, of a conversation that its own loop wrote. */
  approval?: { id: string; approved?: boolean; reason?: string } | undefined;
  /** The conversation went on without a result. */
  cutOff: boolean;
}

export function toolPart(call: CallSoFar): UIToolPart {
  const { id: toolCallId, name, providerExecuted, providerOptions } = call.use;
  return {
    type: `tool-${name}`,
    toolCallId,
    ...(providerExecuted === undefined ? {} : { providerExecuted }),
    ...metadata('callProviderMetadata', { providerOptions }),
    ...stateOf(call),
  };
}

function stateOf(call: CallSoFar): UIToolState {
  const { record, result, cutOff } = call;
  const { input = {} } = call.use;
  const approval = approvalOf(call);
  if (approval?.approved === false) {
    return { state: 'output-denied', input, approval: { ...approval, approved: false } };
  }
  if (result !== undefined) return withResult(call, result, approval);
  switch (record?.state) {
    case 'approval_required':
      return { state: 'approval-requested', input, approval: { id: String(record.callSeq) } };
    case 'completed':
      return { state: 'output-available', input, output: record.output ?? null, ...granted(approval) };
    case 'failed':
    case 'sealed':
      return { state: 'output-error', input, errorText: record.error ?? CUT_OFF, ...granted(approval) };
  }
  if (cutOff) return { state: 'output-error', input, errorText: CUT_OFF, ...granted(approval) };
  if (approval === undefined) return { state: 'input-available', input };
  const { approved } = approval;
  return approved === undefined
    ? { state: 'approval-requested', input, approval: { id: approval.id } }
    : { state: 'approval-responded', input, approval: { ...approval, approved } };
}

function withResult(call: CallSoFar, result: ToolResultBlock, approval: Approval | undefined): UIToolState {
  const { record } = call;
  const { input = {} } = call.use;
  const output = outputOf(result);
  const own = metadata('resultProviderMetadata', result);
  switch (output.type) {
    case 'execution-denied': {
      const reason = output.reason === undefined ? {} : { reason: output.reason };
      const id = record === undefined ? call.use.id : String(record.callSeq);
      return { state: 'output-denied', input, approval: { id, approved: false, ...reason } };
    }
    case 'error-text':
    case 'error-json': {
      const { value } = output;
      const errorText = typeof value === 'string' ? value : JSON.stringify(value);
      return { state: 'output-error', input, errorText, ...own, ...granted(approval) };
    }
    default: {
      // What the tool gave, which a user interface knows how to show, rather than what the model saw of it.
      const shown = record?.output === undefined ? output.value : record.output;
      return { state: 'output-available', input, output: shown, ...own, ...granted(approval) };
    }
  }
}

type Approval = NonNullable<CallSoFar['approval']>;

/** The decision about a call, wherever it was kept. */
function approvalOf({ record, approval }: CallSoFar): Approval | undefined {
  if (record === undefined) return approval;
  const { decision, note } = record.approval;
  if (decision === undefined && record.state !== 'denied') return approval;
  const reason = note === undefined ? {} : { reason: note };
  return { id: String(record.callSeq), approved: decision === 'allow', ...reason };
}

function granted(approval: Approval | undefined): { approval?: UIApproval<true> } {
  return approval?.approved === true ? { approval: { ...approval, approved: true } } : {};
}

function metadata<Key extends string>(
  key: Key,
  block: { providerOptions?: unknown },
): { [K in Key]?: ModelProviderOptions } {
  const { providerOptions } = optionsOf(block);
  return providerOptions === undefined
    ? {}
    : ({ [key]: providerOptions } as { [K in Key]: ModelProviderOptions });
}
