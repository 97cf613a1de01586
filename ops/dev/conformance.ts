/**
 * What a public S3 conformance suite (ceph/s3-tests) expects to find in a federation, and nothing of the suite itself.
 *
 * Several sets of users, so that runs side by side share no account: a test that lists all buckets of its user sees
 * its own only. The first set has the plain names, the second `main-2`, `alt-2` and so on.
 */
import { randomInt } from 'node:crypto'

/** Runs that can go on side by side against one federation: half of them wait for lifecycle most of the time. */
export const conformanceSets = 6

/** Two users with buckets, one of a strange tenant, one for roles, and the roots of two accounts. */
const roles = ['main', 'alt', 'tenant', 'iam', 'iamroot', 'iamaltroot'] as const
export type ConformanceRole = (typeof roles)[number]

const accountRoots: ReadonlySet<ConformanceRole> = new Set<ConformanceRole>(['iamroot', 'iamaltroot'])

/** Keys for server-side encryption that the suite names. */
export const conformanceKeyNames = ['testkey-1', 'testkey-2'] as const

/** The suite waits for lifecycle in days of this length. */
export const conformanceDaySeconds = 10

/** Name of a role's user in the set of that number (from 1). */
export function conformanceUserName(role: ConformanceRole, set: number): string {
  return set === 1 ? role : `${role}-${set}`
}

/**
 * The users of all sets, without keys. Each is the root of the account of its own id; the roots that the suite makes
 * users under have ids of 12 digits, as accounts of AWS have them.
 */
export function conformanceUsers(): { name: string; email: string; userId?: string }[] {
  const sets = Array.from({ length: conformanceSets }, (_, index) => index + 1)
  return sets.flatMap((set) =>
    roles.map((role) => {
      const name = conformanceUserName(role, set)
      const account = accountRoots.has(role) ? { userId: String(randomInt(1e11, 1e12 - 1)) } : {}
      return { name, email: `${name}@conformance.example`, ...account }
    }),
  )
}
