import { expect, it } from 'vitest';
import { ValidationError } from '../src/errors.ts';
import type { TurnCommit } from '../src/model/agent.ts';
import { encodeCommit } from '../src/model/encode-commit.ts';
import { MAX_COMMIT_LENGTH } from '../src/model/json.ts';
import { user } from '../src/testing/samples.ts';

const text = 'x'.repeat(MAX_COMMIT_LENGTH / 4);

it('A3 a list of messages that no string of JavaScript holds is refused before it is one', () => {
  const messages = Array.from({ length: 40 }, () => user(text));
  expect(fieldOf({ snapshot: { id: 's', messages } })).toBe('snapshot.messages');
});

it('A3 a commit with more than it holds is refused, whichever part it is in', () => {
  const whole = { todos: { todos: [text] }, info: { metadata: { text } } };
  const messages = [user(text)];
  expect(fieldOf({ ...whole, compaction: { seq: 0, messages }, snapshot: { id: 's', messages } })).toBe(
    'change',
  );
});

function fieldOf(change: TurnCommit): string | undefined {
  try {
    encodeCommit('a', change);
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(ValidationError);
    return (error as ValidationError).field;
  }
}
