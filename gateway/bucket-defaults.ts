/**
 * How a new bucket begins, as the operator of the gateway decides (decision 0191).
 *
 * AWS's way since April 2023: access control lists off, public access blocked. Classic: as before, for software (and
 * conformance suites) that sets lists on buckets it has just made.
 */
import type { ObjectOwnership } from '../node/core/bucket-configuration.ts'

export interface BucketDefaults {
  /** Undefined: none is set, so that the writer owns and lists count. */
  readonly ownership: ObjectOwnership | undefined
  /** Whether all four settings of PublicAccessBlock are on. */
  readonly publicAccessBlock: boolean
}

export const awsBucketDefaults: BucketDefaults = { ownership: 'BucketOwnerEnforced', publicAccessBlock: true }

export const classicBucketDefaults: BucketDefaults = { ownership: undefined, publicAccessBlock: false }
