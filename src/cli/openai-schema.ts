import { z } from 'zod';
import { messageOf } from '../model/foreign.ts';
import { validateCallName } from '../model/ids.ts';

/**
 * The shapes of OpenAI's chat format that can be imported. They only judge: what is imported is taken
 * from the value that came in, so that key order and keys like `__proto__` survive.
 */

const anyText = z.string({ error: 'expected a string' });

/** What the store takes for tool names and the ids of calls: they come from models and providers, and may be empty or long. */
const name = anyText.check((context) => {
  try {
    validateCallName('name', context.value);
  } catch (error) {
    const message = messageOf(error).replace(/^name: /, '');
    context.issues.push({ code: 'custom', message, input: context.value });
  }
});

const absentBecauseOld = z.null({ error: 'is the retired function calling format, expected tool_calls' });

const part = z.discriminatedUnion(
  'type',
  [
    z.looseObject({ type: z.literal('text'), text: anyText }),
    z.looseObject({ type: z.literal('refusal'), refusal: anyText }),
    z.looseObject({ type: z.literal('image_url'), image_url: z.looseObject({ url: anyText }) }),
    z.looseObject({
      type: z.literal('input_audio'),
      input_audio: z.looseObject({ data: anyText, format: anyText }),
    }),
    z.looseObject({
      type: z.literal('file'),
      file: z.looseObject({
        file_id: anyText.optional(),
        file_data: anyText.optional(),
        filename: anyText.optional(),
      }),
    }),
  ],
  { error: 'expected a part of type text, refusal, image_url, input_audio or file' },
);

const content = z.union([z.string(), z.array(part)], { error: 'expected a string or an array of parts' });

const toolCall = z.looseObject({
  id: name,
  type: z.literal('function', { error: 'expected "function"' }).optional(),
  function: z.looseObject(
    { name, arguments: anyText },
    { error: 'expected an object with name and arguments' },
  ),
});

const message = z.discriminatedUnion(
  'role',
  [
    z.looseObject({ role: z.literal(['system', 'developer', 'user']), content }),
    z.looseObject({
      role: z.literal('assistant'),
      content: content.nullish(),
      tool_calls: z.array(toolCall, { error: 'expected an array' }).nullish(),
      function_call: absentBecauseOld.optional(),
    }),
    z.looseObject({ role: z.literal('tool'), tool_call_id: name, content: content.nullish() }),
  ],
  {
    error: ({ input }) =>
      isRecord(input)
        ? 'expected system, developer, user, assistant or tool'
        : 'expected an object with role and content',
  },
);

export type ChatMessage = z.infer<typeof message>;
export type ChatPart = z.infer<typeof part>;
export type ChatToolCall = z.infer<typeof toolCall>;
export type ToolMessage = Extract<ChatMessage, { role: 'tool' }>;

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What is wrong with a message, one line for each fault; empty when it can be imported. */
export function messageFaults(value: unknown): string[] {
  const result = message.safeParse(value);
  if (!result.success) return result.error.issues.map((issue) => describe(issue.path, issue));
  const { data } = result;
  // `null` says that there is no text; a missing key says that something was lost.
  const silent = data.content === undefined && !(data.role === 'assistant' && data.tool_calls?.length);
  return silent ? ['content: is missing'] : [];
}

/** The faults have been looked for before: this only gives the value its type. */
export function asChatMessage(value: unknown): ChatMessage {
  return value as ChatMessage;
}

type Issue = z.core.$ZodIssue;

/** The most specific fault inside a union: `content[1].text: …` rather than `content: …`. */
function describe(path: PropertyKey[], issue: Issue): string {
  if (issue.code === 'invalid_union') {
    for (const branch of issue.errors) {
      const inner = branch[0];
      if (inner && inner.path.length > 0) return describe([...path, ...inner.path], inner);
    }
  }
  const where = path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('');
  return where ? `${where.replace(/^\./, '')}: ${issue.message}` : issue.message;
}
