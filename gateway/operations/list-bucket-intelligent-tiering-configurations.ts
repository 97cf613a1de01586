/** ListBucketIntelligentTieringConfigurations: buckets have no tierings. */
import { defineOperation } from '../operation.ts'
import { document, element } from '../s3/xml.ts'

export const listBucketIntelligentTieringConfigurations = defineOperation({
  name: 'ListBucketIntelligentTieringConfigurations',
  method: 'GET',
  target: 'bucket',
  subresource: 'intelligent-tiering',
  action: 's3:GetIntelligentTieringConfiguration',
  unused: true,
  body: 'none',
  decode: () => undefined,
  call: async () => undefined,
  encode: () => ({
    status: 200,
    body: document('ListBucketIntelligentTieringConfigurationsResult', element('IsTruncated', false)),
  }),
})
