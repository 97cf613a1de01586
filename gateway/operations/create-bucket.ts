/** CreateBucket: in the one region there is; names are shared by all users. */
import type { Tags, WriteRules } from '../../node/core/bucket-configuration.ts'
import { ClusterError } from '../../node/errors.ts'
import { defineServiceOperation, type OperationContext, type S3Request } from '../operation.ts'
import { invalidArgument, S3Error } from '../s3/errors.ts'
import { refuseUnimplemented } from '../s3/headers.ts'
import { newBucketAccess } from '../s3/ownership.ts'
import { decodeTagSet } from '../s3/tagging.ts'
import { checkChildren, child, childText } from '../s3/xml.ts'

const objectLockHeader = 'x-amz-bucket-object-lock-enabled'

export const createBucket = defineServiceOperation({
  name: 'CreateBucket',
  method: 'PUT',
  target: 'bucket',
  action: 's3:CreateBucket',
  note: 'no directory buckets',
  furtherActions: [
    { action: 's3:PutBucketAcl', when: 'acl' },
    { action: 's3:PutBucketOwnershipControls', when: { header: 'x-amz-object-ownership' } },
    { action: 's3:PutBucketObjectLockConfiguration', when: { header: objectLockHeader, is: 'true' } },
    { action: 's3:PutBucketVersioning', when: { header: objectLockHeader, is: 'true' } },
  ],
  body: 'xml',
  decode: (request) => {
    const objectLock = decodeObjectLock(request.headers[objectLockHeader])
    refuseUnimplemented({ ...request.headers, [objectLockHeader]: 'false' })
    const { bucketName: name, headers } = request
    return { name, objectLock, headers, ...decodeDocument(request) }
  },
  call: async ({ name, location, objectLock, tags, headers }, context) => {
    checkLocation(location, context.region)
    const access = await newBucketAccess(headers, context.identity.accountId, context)
    const wanted = {
      name,
      ownerId: context.identity.accountId,
      ...(objectLock ? { writeRules: lockedRules } : {}),
      configuration: { ...access, ...(tags === undefined ? {} : { tags }) },
    }
    try {
      await context.store.createBucket(wanted, context.call)
    } catch (error) {
      if (!(error instanceof ClusterError) || error.code !== 'BucketExists') throw error
      const mine = error.details.ownerId === context.identity.accountId
      const legacy = mine && context.region === legacyRegion
      const lists = legacy && (access.acl !== undefined || (await hasList(name, context)))
      if (legacy && !lists && !objectLock && tags === undefined) return
      const code = mine && !lists ? 'BucketAlreadyOwnedByYou' : 'BucketAlreadyExists'
      throw new S3Error(code, undefined, { cause: error })
    }
  },
  encode: (_output, { name }) => ({ status: 200, headers: { location: `/${name}` } }),
})

/**
 * AWS: here alone, creating a bucket that one owns already is no error, and resets its access control list. We take the
 * first, for requests that ask for nothing that the bucket might lack; where a list is asked for or would be lost, the
 * bucket exists, as with Ceph.
 */
const legacyRegion = 'us-east-1'

async function hasList(name: string, { store, call }: OperationContext): Promise<boolean> {
  return (await store.findBucket(name, call))?.configuration?.acl !== undefined
}

/** Object Lock brings versioning with it. */
const lockedRules: WriteRules = { revision: 1, versioning: 'Enabled', objectLock: {} }

/** Throws InvalidArgument. */
function decodeObjectLock(header: string | undefined): boolean {
  const text = (header ?? 'false').toLowerCase()
  if (text === 'true' || text === 'false') return text === 'true'
  throw invalidArgument(objectLockHeader, header ?? '', `Invalid ${objectLockHeader}`)
}

/** Throws MalformedXML; NotImplemented for the places that only directory buckets are in. */
function decodeDocument(request: S3Request): { location?: string; tags?: Tags } {
  if (!request.hasDocument) return {}
  const root = request.document('CreateBucketConfiguration')
  checkChildren(root, ['LocationConstraint', 'Tags', 'Bucket', 'Location'])
  if (root.children.has('Bucket') || root.children.has('Location')) {
    throw new S3Error('NotImplemented', 'There are no directory buckets.')
  }
  const location = childText(root, 'LocationConstraint')
  const set = child(root, 'Tags')
  const tags = set === undefined ? {} : decodeTagSet(set, 'bucket')
  return {
    ...(location === undefined ? {} : { location }),
    ...(Object.keys(tags).length === 0 ? {} : { tags }),
  }
}

/** Throws InvalidLocationConstraint for what is no region, IllegalLocationConstraintException for another one. */
function checkLocation(location: string | undefined, region: string): void {
  if (location === undefined || location === '' || location === region) return
  if (!/^[a-z]{2}(-[a-z]+)+-\d$/.test(location)) {
    throw new S3Error('InvalidLocationConstraint', undefined, { details: { LocationConstraint: location } })
  }
  throw new S3Error(
    'IllegalLocationConstraintException',
    `The ${location} location constraint is incompatible for the region specific endpoint this request was sent to.`,
  )
}
