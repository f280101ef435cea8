import { createContextKey, type HandlerContext } from '@connectrpc/connect';

/** Whom the door counts a request for: an address, or that of a network. Empty: not known. */
export const SENDER_ADDRESS = createContextKey('', { description: 'address of the sender' });

/** For services, which know nothing of connections. */
export function addressOf({ values }: HandlerContext): string {
  return values.get(SENDER_ADDRESS);
}
