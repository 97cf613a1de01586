/** CreateBucket: in the one region there is; names are shared by all users. */
import { ClusterError } from '../../node/errors.ts'
import { defineServiceOperation } from '../operation.ts'
import { S3Error } from '../s3/errors.ts'
import { refuseUnimplemented } from '../s3/headers.ts'
import { childText } from '../s3/xml.ts'

/** AWS's oldest region answers 200 to the owner who creates a bucket again. */
const legacyRegion = 'us-east-1'

export const createBucket = defineServiceOperation({
  name: 'CreateBucket',
  method: 'PUT',
  target: 'bucket',
  action: 's3:CreateBucket',
  body: 'xml',
  decode: (request) => {
    refuseUnimplemented(request.headers)
    const location = request.hasDocument
      ? childText(request.document('CreateBucketConfiguration'), 'LocationConstraint')
      : undefined
    return { name: request.bucketName, location }
  },
  call: async ({ name, location }, { store, call, identity, region }) => {
    checkLocation(location, region)
    try {
      return await store.createBucket({ name, ownerId: identity.accountId }, call)
    } catch (error) {
      if (!(error instanceof ClusterError) || error.code !== 'BucketExists') throw error
      const mine = error.details.ownerId === identity.accountId
      if (mine && region === legacyRegion) return { name }
      throw new S3Error(mine ? 'BucketAlreadyOwnedByYou' : 'BucketAlreadyExists', undefined, { cause: error })
    }
  },
  encode: (bucket) => ({ status: 200, headers: { location: `/${bucket.name}` } }),
})

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
