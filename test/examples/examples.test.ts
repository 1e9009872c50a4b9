import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

test('quick-start.ts tells what happened to the call and to the fork', async () => {
  const directory = await makeTemporaryDirectory();
  try {
    const file = join(directory, 'example.db');
    const script = join(root, 'examples/quick-start.ts');
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', script, file], {
      cwd: root,
    });
    expect(stdout).toContain('Waiting: refund {"order":1042,"amount":30}');
    expect(stdout).toContain('Original: [{"type":"text","text":"Your refund is on its way."}]');
    expect(stdout).toContain('Fork: [{"type":"text","text":"Done: 30 were refunded for order 1042."}]');
    expect(stdout).toContain('Decided by ana: pending → approval_required → approved → completed');
    expect(stdout).toContain('Statistics: {"completed":1}');
  } finally {
    await removeDirectory(directory);
  }
});
