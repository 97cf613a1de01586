/** The operation table: every operation of the S3 model, the implemented ones first. */
import type { Operation } from '../operation.ts'
import { createBucket } from './create-bucket.ts'
import { deleteBucket } from './delete-bucket.ts'
import { deleteObject } from './delete-object.ts'
import { getBucketLocation } from './get-bucket-location.ts'
import { getObject } from './get-object.ts'
import { headBucket } from './head-bucket.ts'
import { headObject } from './head-object.ts'
import { listBuckets } from './list-buckets.ts'
import { listObjectsV2 } from './list-objects-v2.ts'
import { plannedOperations } from './planned.ts'
import { putObject } from './put-object.ts'

export const operations: readonly Operation[] = [
  createBucket,
  deleteBucket,
  deleteObject,
  getBucketLocation,
  getObject,
  headBucket,
  headObject,
  listBuckets,
  listObjectsV2,
  putObject,
  ...plannedOperations,
]
