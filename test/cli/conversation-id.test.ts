import { describe, expect, it } from 'vitest';
import { agentIdSource } from '../../src/cli/conversation-id.ts';
import { validateAgentId } from '../../src/model/ids.ts';

const DIGEST = '[0-9a-f]{12}';

function idOf(attributes: Record<string, unknown>, prefix = '', messages: unknown[] = ['m']): string {
  return agentIdSource(prefix)({ position: 0, messages, attributes });
}

describe("an imported agent's id", () => {
  it('is the id in the file, behind the prefix', () => {
    expect(idOf({ id: 'chatcmpl-9x_A.b:c' })).toBe('chatcmpl-9x_A.b:c');
    expect(idOf({ id: 12 }, 'mine-')).toBe('mine-12');
    expect(idOf({ id: '图书馆' })).toBe('图书馆');
  });

  it('names task and trial, and tells files apart that count alike', () => {
    const id = idOf({ task_id: 3, trial: 1 });
    expect(id).toMatch(new RegExp(`^task-3-trial-1-${DIGEST}$`));
    expect(idOf({ task_id: 3, trial: 1 })).toBe(id);
    expect(idOf({ task_id: 3, trial: 1 }, '', ['other'])).not.toBe(id);
    expect(idOf({ task_id: 3 })).toMatch(new RegExp(`^task-3-${DIGEST}$`));
  });

  it('comes from the messages when nothing names it', () => {
    expect(idOf({})).toMatch(new RegExp(`^chat-${DIGEST}$`));
    expect(idOf({ id: '' })).toBe(idOf({}));
    expect(idOf({}, '', ['other'])).not.toBe(idOf({}));
  });

  it('counts repetitions within one file', () => {
    const source = agentIdSource('p-');
    const ids = [0, 1, 2].map((position) => source({ position, messages: [], attributes: { id: 'a' } }));
    expect(ids).toEqual(['p-a', 'p-a~2', 'p-a~3']);
  });

  it.each(['a/b', 'a\\b', '..', '.', 'a\u0000b', 'a b', 'x~2', '\uD800', 'é'.repeat(300), 'x'.repeat(300)])(
    'can be stored, whatever the file says: %j',
    (id) => {
      const made = idOf({ id }, 'p'.repeat(60));
      expect(() => validateAgentId(`${made}~99999`)).not.toThrow();
      expect(made).toMatch(new RegExp(`-${DIGEST}$`));
      const long = idOf({ task_id: id, trial: id }, 'p'.repeat(60));
      expect(() => validateAgentId(`${long}~99999`)).not.toThrow();
    },
  );

  it.each(['a/', '\n', 'x'.repeat(61), '\uD800'])('has no such prefix: %j', (prefix) => {
    expect(() => agentIdSource(prefix)).toThrow(/prefix|agentId/);
  });
});
