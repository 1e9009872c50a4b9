import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parseConversations, readConversations } from '../../src/cli/conversation-file.ts';
import { InputError } from '../../src/cli/errors.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';

const hello = { role: 'user', content: 'hello' };
const bye = { role: 'user', content: 'bye' };

function messagesOf(text: string): unknown[] {
  return parseConversations(text).map(({ messages, fault }) => fault ?? messages);
}

describe('a file of conversations', () => {
  it('is an array of arrays of messages, or of objects that have one', () => {
    const file = [[hello], { id: 'a', messages: [bye] }, { task_id: 1, trial: 0, traj: [hello, bye] }];
    expect(parseConversations(JSON.stringify(file, null, 2))).toEqual([
      { position: 0, messages: [hello], attributes: {} },
      { position: 1, messages: [bye], attributes: { id: 'a' } },
      { position: 2, messages: [hello, bye], attributes: { task_id: 1, trial: 0 } },
    ]);
  });

  it('is JSONL, with blank lines, carriage returns and without a newline at the end', () => {
    const text = `${JSON.stringify([hello])}\r\n\n${JSON.stringify({ messages: [bye] })}\n[]`;
    expect(messagesOf(text)).toEqual([[hello], [bye], []]);
  });

  it.each([
    ['an array of messages', [hello, bye]],
    ['an object', { messages: [hello, bye] }],
  ])('is one line of JSONL: %s', (_, conversation) => {
    expect(messagesOf(JSON.stringify(conversation))).toEqual([[hello, bye]]);
  });

  it('may be empty', () => {
    expect(parseConversations('[]')).toEqual([]);
  });

  it('reports records that are no conversations, each at its position', () => {
    const kind = 'expected an array of messages or an object with them';
    const key = 'expected an array under "messages" or "traj"';
    expect(messagesOf(JSON.stringify([5, [hello], null, { messages: 'none' }, {}, 'text']))).toEqual([
      kind,
      [hello],
      kind,
      key,
      key,
      kind,
    ]);
  });

  it('reports lines that are no JSON by their number', () => {
    const [first, second] = parseConversations(`${JSON.stringify([hello])}\n\n{"messages": [\n`);
    expect(first?.fault).toBeUndefined();
    expect(second?.position).toBe(1);
    expect(second?.fault).toMatch(/^line 3 is no JSON: /);
  });

  it.each([
    '',
    '[',
    '{"messages": [',
    '[\n  [\n    {"role": "user" "content": ""}\n  ]\n]',
    'text\nand more',
  ])('is refused when it is neither: %j', (text) => {
    expect(() => parseConversations(text)).toThrow(InputError);
    expect(() => parseConversations(text)).toThrow(/neither JSON nor one JSON value on each line/);
  });

  it('is read as UTF-8, with or without a byte order mark', async () => {
    const directory = await makeTemporaryDirectory();
    onTestFinished(() => removeDirectory(directory));
    const path = join(directory, '对话.json');
    await writeFile(path, `\uFEFF${JSON.stringify([[hello]])}`);
    expect(await readConversations(path)).toHaveLength(1);
    await writeFile(path, `\uFEFF${JSON.stringify([[hello]])}`, 'utf16le');
    await expect(readConversations(path)).rejects.toThrow(/is not UTF-8/);
    await expect(readConversations(directory)).rejects.toThrow(/it is a directory/);
    await expect(readConversations(join(directory, 'none.json'))).rejects.toThrow(/there is no such file/);
  });
});
