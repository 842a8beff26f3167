// A shop that takes payments and dispatches parcels. Both stand on one store, so that each step is one commit: a payment and the order to
// dispatch it; a parcel, the note that it went out, and the end of that order.

/** Orders to dispatch wait here, those of one customer in the order of the payments. */
export function ordersOf(db) {
  return db.queue('dispatch', {
    ordering: 'group',
    visibilityTimeout: 30_000,
    // A parcel is never given up: what cannot be dispatched now is tried again, and holds back only its own customer.
    maxAttempts: Number.POSITIVE_INFINITY,
    backoff: { base: 20, max: 200, jitter: true },
    dedupWindow: 24 * 3_600_000,
  })
}

/** Takes a payment. Resolved, it is on disk together with the order to dispatch it; a payment that is made again is taken once. */
export async function acceptPayment(db, { id, customer, amount }, sync = true) {
  const payment = { id, customer, amount }
  await db
    .batch()
    .put(`payment:${id}`, JSON.stringify(payment))
    .send(ordersOf(db), payment, { group: customer, dedupId: id })
    .write({ sync })
}

/**
 * Dispatches one order. The parcel, the customer's count, the event that others read and the end of the message are one commit: a process
 * that dies before it has done nothing, one that dies after it has done everything, and a receipt that has gone stale is refused.
 */
export async function dispatchOrder(db, message, sync = false) {
  const { id, customer } = message.body
  const parcels = Number((await db.get(`parcels:${customer}`)) ?? 0) + 1
  await db
    .batch()
    .put(`parcel:${id}`, JSON.stringify({ customer, number: parcels }))
    .put(`parcels:${customer}`, String(parcels))
    .send(db.topic('dispatched'), { id, customer, number: parcels }, { key: customer })
    .ack(message)
    .write({ sync })
}

/**
 * Tells customers of the parcels that went out since the last time. The mailer may be away as long as it likes: its subscription has a cursor of its
 * own, and a mail and the end of its event are one commit. Returns the ids of the payments.
 */
export async function writeMails(db) {
  const events = db.topic('dispatched').subscribe('mail', { from: 'earliest' })
  const written = []
  while (events.lag() > 0) {
    const batch = db.batch()
    for (const event of await events.receive({ max: 100 })) {
      const { id, customer, number } = event.body
      batch.put(`mail:${id}`, `Dear ${customer}, your parcel number ${number} is on its way.`).ack(event)
      written.push(id)
    }
    await batch.write()
  }
  await events.close()
  return written
}

/** What went out, in the order in which it did. */
export async function dispatchedParcels(db) {
  const audit = db.topic('dispatched').subscribe('audit', { from: 'earliest', delivery: 'at-most-once' })
  await audit.seek('earliest')
  const parcels = []
  while (audit.lag() > 0) for (const { body } of await audit.receive({ max: 500 })) parcels.push(body)
  await audit.close()
  return parcels
}

/** What is wrong with what went out, given the payments of which the customers were told that they were taken. */
export function complaints(paid, parcels) {
  const found = []
  const seen = new Set()
  const lastOf = new Map()
  for (const { id, customer } of parcels) {
    if (seen.has(id)) found.push(`payment ${id} was dispatched twice`)
    seen.add(id)
    const number = Number(id.split('-')[1])
    const last = lastOf.get(customer) ?? 0
    if (number <= last) found.push(`payment ${id} was dispatched behind number ${last} of ${customer}`)
    lastOf.set(customer, number)
  }
  for (const { id } of paid) if (!seen.has(id)) found.push(`payment ${id} was never dispatched`)
  return found
}
