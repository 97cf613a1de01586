/**
 * The life of a process: one ready line on stdout, JSON logs on stderr, a clean end on SIGTERM, fail-stop on a bug.
 *
 * Whoever supervises the process (systemd, compose, `bundescloud dev`) waits for the ready line and reads the logs.
 */
import { type Logger, pino } from 'pino'

export type { Logger }

/** A started process: where it listens and how it ends. */
export interface RunningProcess {
  /** Printed as one JSON line when everything listens. */
  readonly ready: Readonly<Record<string, unknown>>
  close(): Promise<void>
}

/** How long a clean end may take before the process ends anyway; its state survives kill -9, too. */
const CLOSE_TIMEOUT_MS = 10_000

/** Logs are for operators: no object names, no secrets, one JSON object per line. */
export function createLogger(bindings: Record<string, unknown>): Logger {
  const level = process.env.BUNDESCLOUD_LOG_LEVEL ?? 'info'
  return pino({ base: bindings, level }, pino.destination({ dest: 2, sync: true }))
}

/**
 * Ends the process at once, since its state can no longer be trusted: a failed fsync, a broken invariant. Everything
 * acknowledged is on disk; the supervisor starts it again.
 */
export function failStop(logger: Logger, cause: unknown): never {
  logger.fatal({ err: cause }, 'stopping: the state of this process can no longer be trusted')
  process.exit(70)
}

/** Starts a process and keeps it until it is told to end. Exit code 1 when it cannot start. */
export async function runProcess(logger: Logger, start: () => Promise<RunningProcess>): Promise<void> {
  process.on('uncaughtException', (cause) => failStop(logger, cause))
  process.on('unhandledRejection', (cause) => failStop(logger, cause))
  let running: RunningProcess
  try {
    running = await start()
  } catch (cause) {
    logger.fatal({ err: cause }, 'cannot start')
    process.exitCode = 1
    setTimeout(() => process.exit(1), CLOSE_TIMEOUT_MS).unref()
    return
  }
  process.stdout.write(`${JSON.stringify({ ready: true, ...running.ready })}\n`)
  let ending = false
  const end = (signal: string) => {
    if (ending) return
    ending = true
    logger.info({ signal }, 'ending')
    setTimeout(() => process.exit(1), CLOSE_TIMEOUT_MS).unref()
    running.close().then(
      () => process.exit(0),
      (cause: unknown) => failStop(logger, cause),
    )
  }
  process.on('SIGTERM', () => end('SIGTERM'))
  process.on('SIGINT', () => end('SIGINT'))
}
