/**
 * Object Lock: when a version may be removed, and how its retention may change (write once, read many).
 *
 * Pure. Invariant: what a retention or legal hold protects stays, whatever the order of commands: a compliance
 * retention is only ever lengthened, and nothing here asks a single clock when it ends (`wormMs`). Every command that
 * removes or replaces a version asks `requireRemovable`; nothing else decides.
 *
 * Source: AWS, "Locking objects with Object Lock", Amazon S3 User Guide.
 */
import { ClusterError } from '../errors.ts'
import type { DefaultRetention, Retention, WriteRules } from './bucket-configuration.ts'
import type { VersionAttributes } from './catalog-types.ts'

const dayMs = 24 * 60 * 60 * 1000
/** AWS counts a year of a default retention as 365 days. */
const yearDays = 365
/** The last instant of JavaScript's Date: a retention that would end later ends there. */
const timeMsMax = 8.64e15

/** When it is, according to the two clocks that a command has passed. */
export interface CommandTime {
  /** The gateway's or worker's, in the command. */
  readonly commandMs: number
  /** That of the group's leader when it took the command; undefined: an entry from before leaders stamped them. */
  readonly leaderMs: number | undefined
}

/** The time up to which protections have ended: the earlier clock, so that one that is fast ends nothing. */
export function wormMs({ commandMs, leaderMs }: CommandTime): number {
  return Math.min(commandMs, leaderMs ?? 0)
}

/** What somebody who wants to remove or amend a version brings. */
export interface RemovalRight {
  readonly time: CommandTime
  /** May end a governance retention early: the permission is the gateway's to check. */
  readonly bypassGovernance: boolean
}

/** Throws WormProtected (details: legalHold, mode, untilMs) when the version must stay. */
export function requireRemovable(version: VersionAttributes, right: RemovalRight): void {
  const { retention, legalHold } = version
  const retained = retention !== undefined && isActive(retention, right) && !bypassed(retention, right)
  if (legalHold === true || retained) throw wormProtected(version)
}

/**
 * Throws WormProtected when a retention must not become another (`null`: none). A compliance retention that is active
 * may only be lengthened; a governance one may be lengthened by anybody and changed at will by those who may bypass it.
 */
export function requireRetentionChange(
  version: VersionAttributes,
  next: Retention | null,
  right: RemovalRight,
): void {
  const { retention } = version
  if (retention === undefined || !isActive(retention, right) || bypassed(retention, right)) return
  const lengthened = next !== null && next.mode === retention.mode && next.untilMs >= retention.untilMs
  if (!lengthened) throw wormProtected(version)
}

/** Throws NoObjectLock when a version is to be protected in a bucket that has no Object Lock. */
export function requireObjectLock(rules: WriteRules, wanted: VersionAttributes): void {
  if (wanted.retention === undefined && wanted.legalHold === undefined) return
  if (rules.objectLock === undefined) throw noObjectLock()
}

export function noObjectLock(): ClusterError {
  return new ClusterError('NoObjectLock', 'the bucket has no Object Lock')
}

/**
 * The retention of a version that says nothing itself; undefined: none. It runs from the later of the clocks: one that
 * is slow must not shorten it.
 */
export function defaultRetention(rules: WriteRules, time: CommandTime): Retention | undefined {
  const preset = rules.objectLock?.defaultRetention
  if (preset === undefined) return undefined
  const startMs = Math.max(time.commandMs, time.leaderMs ?? 0)
  return { mode: preset.mode, untilMs: Math.min(startMs + periodMs(preset), timeMsMax) }
}

function periodMs({ days, years }: DefaultRetention): number {
  return (days ?? (years ?? 0) * yearDays) * dayMs
}

function isActive(retention: Retention, right: RemovalRight): boolean {
  return retention.untilMs > wormMs(right.time)
}

function bypassed(retention: Retention, right: RemovalRight): boolean {
  return retention.mode === 'GOVERNANCE' && right.bypassGovernance
}

function wormProtected({ retention, legalHold }: VersionAttributes): ClusterError {
  return new ClusterError('WormProtected', 'the version is protected by Object Lock', {
    details: { legalHold: legalHold === true, ...retention },
  })
}
