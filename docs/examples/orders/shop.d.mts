import type { Database, Message, Queue } from '../../../src/index.js'

export interface Payment {
  readonly id: string
  readonly customer: string
  readonly amount: number
}

export interface Parcel {
  readonly id: string
  readonly customer: string
  readonly number: number
}

export function ordersOf(db: Database): Queue<Payment>
export function acceptPayment(db: Database, payment: Payment, sync?: boolean): Promise<void>
export function dispatchOrder(db: Database, message: Message<Payment>, sync?: boolean): Promise<void>
export function writeMails(db: Database): Promise<string[]>
export function dispatchedParcels(db: Database): Promise<Parcel[]>
export function complaints(paid: readonly Payment[], parcels: readonly Parcel[]): string[]
