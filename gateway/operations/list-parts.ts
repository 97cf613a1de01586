/** ListParts: the parts of an upload in progress, by number. */
import type { Part } from '../../node/core/catalog-types.ts'
import { gatewayLimits } from '../limits.ts'
import { defineOperation } from '../operation.ts'
import { isoDate } from '../s3/dates.ts'
import { checkUploadKey, decodeCustomerKey } from '../s3/encryption.ts'
import { invalidArgument } from '../s3/errors.ts'
import { checksumElements } from '../s3/listing.ts'
import { partChecksumElement } from '../s3/multipart.ts'
import { parseUploadId } from '../s3/names.ts'
import { owner } from '../s3/owner.ts'
import { parsePositiveSize } from '../s3/paging.ts'
import { document, element, wrap } from '../s3/xml.ts'

export const listParts = defineOperation({
  name: 'ListParts',
  method: 'GET',
  target: 'object',
  subresource: 'uploadId',
  action: 's3:ListMultipartUploadParts',
  body: 'none',
  decode: (request) => {
    const marker = request.param('part-number-marker') ?? ''
    if (!/^\d{0,9}$/.test(marker)) {
      throw invalidArgument(
        'part-number-marker',
        marker,
        'Argument part-number-marker must be an integer between 0 and 2147483647',
      )
    }
    return {
      key: request.key,
      uploadId: parseUploadId(request.param('uploadId')),
      afterPartNumber: Number(marker),
      customerKey: decodeCustomerKey(request),
      pageSize: parsePositiveSize('max-parts', request.param('max-parts'), gatewayLimits.listEntriesMax),
    }
  },
  call: async ({ key, uploadId, afterPartNumber, pageSize, customerKey }, context) => {
    const { store, bucket, call, accounts } = context
    const page = await store.listParts({ bucket, key, uploadId, afterPartNumber, limit: pageSize }, call)
    // As AWS: the key is for seeing checksums.
    checkUploadKey(page.upload, customerKey, { required: page.upload.checksum !== undefined })
    return { ...page, account: await accounts.byId(page.upload.ownerId) }
  },
  encode: ({ upload, parts, truncated, account }, input, { bucket, identity }) => ({
    status: 200,
    body: document(
      'ListPartsResult',
      element('Bucket', bucket.name),
      element('Key', input.key),
      element('UploadId', input.uploadId),
      owner('Initiator', upload.ownerId, identity, account),
      owner('Owner', upload.ownerId, identity, account),
      element('StorageClass', 'STANDARD'),
      element('PartNumberMarker', input.afterPartNumber),
      element('NextPartNumberMarker', parts.at(-1)?.partNumber ?? 0),
      element('MaxParts', input.pageSize),
      element('IsTruncated', truncated),
      checksumElements(upload.checksum),
      ...parts.map(encodePart),
    ),
  }),
})

function encodePart(part: Part): string {
  return wrap(
    'Part',
    element('PartNumber', part.partNumber),
    element('LastModified', isoDate(part.modifiedMs)),
    element('ETag', `"${part.etag}"`),
    element('Size', part.bytes),
    partChecksumElement(part),
  )
}
