import cliProgress from 'cli-progress';
import type { Output } from './terminal.ts';

export interface Progress {
  step(): void;
  stop(): void;
}

/** A bar for people who watch; nothing where the output is a file or a pipe. */
export function startProgress(stream: Output, total: number): Progress {
  if (!stream.isTTY || total === 0) return { step() {}, stop() {} };
  const bar = new cliProgress.SingleBar(
    {
      stream,
      format: 'importing {bar} {percentage}% · {value}/{total} messages · {eta_formatted} left',
      barsize: 24,
      clearOnComplete: true,
      // Else a terminal whose import was interrupted would be left without its line wrap.
      linewrap: true,
      etaBuffer: 200,
    },
    cliProgress.Presets.shades_classic,
  );
  bar.start(total, 0);
  return { step: () => bar.increment(), stop: () => bar.stop() };
}
