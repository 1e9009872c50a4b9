// Compiles src into dist.
import { chmodSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cliPath, packageBin, root, runNode } from './project.mjs';

rmSync(join(root, 'dist'), { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
const code = await runNode([packageBin('typescript', 'tsc'), '-p', 'tsconfig.build.json'], { cwd: root });
if (code !== 0) {
  // A half-made dist would pass for a finished one.
  rmSync(join(root, 'dist'), { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  process.exit(code);
}
// npm does this for installed packages; here it makes dist/cli/main.js runnable in place.
if (process.platform !== 'win32' && existsSync(cliPath)) chmodSync(cliPath, 0o755);
