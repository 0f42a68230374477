import { pino } from 'pino';
import type { NodeSettings } from './config.ts';

/** JSON lines on stderr, each with time, level and the node's name. Written at once: the last words of a process that dies are those that matter. */
export const createLogger = ({ name, logLevel }: Pick<NodeSettings, 'name' | 'logLevel'>) =>
  pino(
    {
      level: logLevel,
      base: { node: name },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    pino.destination({ fd: 2, sync: true }),
  );
