/**
 * Waiting in tests: polls a condition until it holds or a deadline passes. Never a fixed sleep.
 */

export const untilLimits = {
  /** Generous: the machine is shared, and a deadline only bounds a failure. */
  timeoutMs: 30_000,
  pollMs: 25,
} as const

/**
 * Resolves with the first truthy value of `condition` (an error counts as not yet); rejects after the deadline with
 * what was waited for and the last value or error seen.
 */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  options: { timeoutMs?: number; pollMs?: number } = {},
): Promise<Exclude<T, false | null | undefined | 0 | ''>> {
  const timeoutMs = options.timeoutMs ?? untilLimits.timeoutMs
  const deadline = performance.now() + timeoutMs
  let last: unknown
  for (;;) {
    try {
      const value = await condition()
      if (value) return value as Exclude<T, false | null | undefined | 0 | ''>
      last = value
    } catch (error) {
      last = error
    }
    if (performance.now() > deadline) {
      const seen = last instanceof Error ? last.message : JSON.stringify(last)
      throw new Error(`not within ${timeoutMs} ms: ${what} (last seen: ${seen})`)
    }
    await new Promise((resolve) => setTimeout(resolve, options.pollMs ?? untilLimits.pollMs))
  }
}
