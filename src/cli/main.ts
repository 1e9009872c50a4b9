#!/usr/bin/env node
import { run } from './program.ts';

// A reader that has seen enough (`kode messages | head`) ends the output, not the program.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

process.exitCode = await run(process.argv.slice(2), process);
