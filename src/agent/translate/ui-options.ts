import type { ToolCallRecord } from '../../model/tool-call.ts';

/** Options of `toUIMessages`. */
export interface UIMessagesOptions {
  /** The agent's tool calls (`store.loadToolCallRecords`): what they gave, and how their approvals stand. */
  toolCalls?: readonly ToolCallRecord[] | undefined;
  /** `seq` of the first message, for a part of a conversation. Default: 0. */
  firstSeq?: number | undefined;
  /** The id of a UI message, by the `seq` of its first message. Default: `msg-<seq>`. */
  idOf?: ((seq: number) => string) | undefined;
}

/** Options of `toUIMessageStream`. */
export interface UIMessageStreamOptions {
  /**
   * Id of the message that the parts belong to. For a turn that goes on after an approval, the id of the
   * assistant message with the call. Default: the reader makes one up.
   */
  messageId?: string | undefined;
  /**
   * The text that a reader is shown for an error. Default: `An error occurred.` for a turn that fails, and
   * for a failed tool what the model was told.
   */
  onError?: ((error: unknown) => string) | undefined;
  /** Default: true. */
  sendReasoning?: boolean | undefined;
  /** Default: false. */
  sendSources?: boolean | undefined;
}
