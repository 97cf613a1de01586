/**
 * The header x-amz-expiration: when the bucket's lifecycle rules will expire an object's current version.
 * Source: AWS, "PutObject" and "HeadObject", API Reference: `expiry-date="<HTTP date>", rule-id="<URL-encoded id>"`.
 */
import type { Tags } from '../../node/core/bucket-configuration.ts'
import { nextExpiry } from '../../node/core/lifecycle.ts'
import type { Bucket } from '../../node/core/registry-types.ts'
import { httpDate } from './dates.ts'

/** The header as a record, empty when no rule expires the version. */
export function expirationHeader(
  bucket: Bucket,
  version: { key: string; modifiedMs: number; bytes: number; tags?: Tags | undefined },
): Record<string, string> {
  const rules = bucket.configuration?.lifecycle
  if (rules === undefined) return {}
  const next = nextExpiry(rules, { ...version, tags: version.tags ?? {} })
  if (next === undefined) return {}
  return {
    'x-amz-expiration': `expiry-date="${httpDate(next.dueMs)}", rule-id="${encodeURIComponent(next.ruleId)}"`,
  }
}
