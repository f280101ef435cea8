/** What is to come, in its shape, so that nothing moves when it does. */

const FLAME_ROWS: readonly (readonly number[])[] = [
  [100],
  [46, 30, 18],
  [44, 28, 16],
  [30, 12, 20, 6, 14],
  [26, 10, 18, 12],
  [14, 9, 15, 6],
  [8, 12, 5],
];

export function FlameSkeleton() {
  return (
    <div className="flame-skeleton" role="status" aria-busy="true" aria-label="Loading the flame graph">
      {FLAME_ROWS.map((row, i) => (
        <div key={i}>
          {row.map((width, j) => (
            <span key={j} className="skeleton" style={{ width: `${width}%` }} />
          ))}
        </div>
      ))}
    </div>
  );
}

export function TableSkeleton() {
  return (
    <div className="table-skeleton" role="status" aria-busy="true" aria-label="Loading the functions">
      {Array.from({ length: 14 }, (_, i) => (
        <div key={i}>
          <span className="skeleton" style={{ width: `${62 - ((i * 17) % 30)}%` }} />
          <span className="skeleton" style={{ width: '12%' }} />
          <span className="skeleton" style={{ width: '12%' }} />
        </div>
      ))}
    </div>
  );
}
