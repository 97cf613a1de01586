/** ListBucketInventoryConfigurations: buckets have no inventories. */
import { defineOperation } from '../operation.ts'
import { document, element } from '../s3/xml.ts'

export const listBucketInventoryConfigurations = defineOperation({
  name: 'ListBucketInventoryConfigurations',
  method: 'GET',
  target: 'bucket',
  subresource: 'inventory',
  action: 's3:GetInventoryConfiguration',
  unused: true,
  body: 'none',
  decode: () => undefined,
  call: async () => undefined,
  encode: () => ({
    status: 200,
    body: document('ListInventoryConfigurationsResult', element('IsTruncated', false)),
  }),
})
