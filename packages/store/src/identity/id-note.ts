/** The note of a catalog that says whose it is. */
export const ID_NOTE = 'store_id';
