import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import { type ApprovalDecision, type ContentBlock, KodeError, ValidationError } from '../../src/index.ts';

const LARGEST_BODY = 1_000_000;

const name = z.string().min(1).max(200);
const ordinal = z.coerce.number().int().nonnegative();

export const createBody = z.strictObject({
  agentId: name.optional(),
  metadata: z.record(z.string(), z.unknown()).default({}),
});

export const approvalBody = z.strictObject({
  toolCallId: name,
  /** The call's `callSeq`, which tells calls apart whose id repeats. */
  approvalId: ordinal.optional(),
  approved: z.boolean(),
  by: name.optional(),
  note: z.string().max(2_000).optional(),
});

/** What `DefaultChatTransport` sends: the whole conversation, of which the end is new. */
const chatBody = z.object({
  trigger: z.literal('submit-message', { error: 'an answer is not made again: fork the agent' }).optional(),
  messages: z.array(z.looseObject({ role: z.string() })).min(1),
});

const question = z.object({
  id: name,
  role: z.literal('user'),
  parts: z
    .array(
      z.discriminatedUnion('type', [
        z.object({ type: z.literal('text'), text: z.string().min(1) }),
        z.object({
          type: z.literal('file'),
          mediaType: name,
          filename: name.optional(),
          // Who may name any URL has it fetched from within the server's network.
          url: z.string().regex(/^data:[^,]*;base64,/, { error: 'must be a data URL with base64' }),
        }),
      ]),
    )
    .min(1),
});

const decidedPart = z.object({
  state: z.literal('approval-responded'),
  toolCallId: name,
  approval: z.object({ id: ordinal, approved: z.boolean(), reason: z.string().max(2_000).optional() }),
});

/** What is new in a chat: a question, or decisions on calls of the last answer that waited for them. */
export type News =
  | { id: string; content: ContentBlock[] }
  | { decisions: (ApprovalDecision & { toolCallId: string })[] };

export function newsIn(body: unknown): News {
  const last = check(chatBody, body).messages.at(-1);
  if (last?.role === 'assistant') {
    const parts = Array.isArray(last.parts) ? last.parts : [];
    const decided = parts.flatMap((part) => decidedPart.safeParse(part).data ?? []);
    return {
      decisions: decided.map(({ toolCallId, approval: { id, approved, reason } }) => ({
        toolCallId,
        callSeq: id,
        decision: approved ? 'allow' : 'deny',
        note: reason,
      })),
    };
  }
  const { id, parts } = check(question, last, 'the last message');
  return {
    id,
    content: parts.map((part) => {
      if (part.type === 'text') return part;
      const { url, mediaType, filename } = part;
      return {
        type: mediaType.startsWith('image/') ? 'image' : 'file',
        base64: url.slice(url.indexOf(',') + 1),
        mime_type: mediaType,
        ...(filename === undefined ? {} : { filename }),
      };
    }),
  };
}

/** The cursor after which a reader goes on, if it names one. */
export function cursorIn(url: URL): number | undefined {
  const since = url.searchParams.get('since');
  return since === null ? undefined : check(ordinal, since === '' ? Number.NaN : since, 'since');
}

export function check<T>(schema: z.ZodType<T>, value: unknown, field = 'the body'): T {
  const { success, data, error } = schema.safeParse(value);
  if (success) return data;
  const [issue] = error.issues;
  throw new ValidationError([field, ...(issue?.path ?? [])].join('.'), issue?.message ?? 'is invalid');
}

/** A request that can't be answered, and the HTTP status that says so. */
export class RequestError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export async function readJson(request: IncomingMessage): Promise<unknown> {
  if (!/^application\/json\b/i.test(request.headers['content-type'] ?? '')) {
    throw new RequestError(415, 'The body must be application/json.');
  }
  const chunks: Buffer[] = [];
  let size = 0;
  // What is left of a body that is too large is read and dropped, so that the answer arrives.
  const body: AsyncIterable<Buffer> = request.iterator({ destroyOnReturn: false });
  for await (const chunk of body) {
    size += chunk.length;
    if (size > LARGEST_BODY) throw new RequestError(413, `The body has more than ${LARGEST_BODY} bytes.`);
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    throw new RequestError(400, 'The body is no JSON.');
  }
}

const STATUS: Record<string, number> = {
  VALIDATION: 400,
  AGENT_NOT_FOUND: 404,
  AGENT_EXISTS: 409,
  AGENT_BUSY: 409,
  APPROVAL_REQUIRED: 409,
  ALREADY_DECIDED: 409,
  EVENTS_PRUNED: 410,
  // Another server has the agent.
  LOCK_TIMEOUT: 423,
  MODEL_FAILED: 502,
  LEASE_NOT_HELD: 503,
  AGENT_CLOSED: 503,
  STORE_CLOSED: 503,
  STORE_BUSY: 503,
  STORE_UNAVAILABLE: 503,
};

/** What a client is told of an error: what it can do something about. */
export function errorAnswer(error: unknown): { status: number; body: { error: string; message: string } } {
  if (error instanceof RequestError) {
    return { status: error.status, body: { error: 'BAD_REQUEST', message: error.message } };
  }
  const status = error instanceof KodeError ? STATUS[error.code] : undefined;
  if (!(error instanceof KodeError) || status === undefined) {
    return { status: 500, body: { error: 'INTERNAL', message: 'Something went wrong here.' } };
  }
  const message = status < 500 ? error.message : 'This is not possible at the moment. Try again later.';
  return { status, body: { error: error.code, message } };
}
