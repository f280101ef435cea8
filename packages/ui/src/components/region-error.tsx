import { Component, type ReactNode } from 'react';
import type { Failure } from '../api/failure.ts';
import { WarnIcon } from './icons.tsx';

/** A question that failed, in the region that it was asked for. What was there before stays below it. */
export function RegionError(props: {
  readonly failure: Failure;
  readonly hasData: boolean;
  readonly retry: () => void;
}) {
  const { failure, hasData, retry } = props;
  return (
    <div className="banner is-error" role="alert" data-testid="query-error">
      <WarnIcon />
      <div>
        <strong>{failure.sentence}</strong> {hasData && 'Showing the data from before. '}
        <span className="banner-detail">
          <code>{failure.code}</code> {failure.message}
        </span>
      </div>
      <button type="button" className="button small" onClick={retry}>
        Try again
      </button>
    </div>
  );
}

/** Keeps a fault of one region from taking the page with it. */
export class RegionBoundary extends Component<
  { readonly name: string; readonly children: ReactNode },
  { readonly error: Error | undefined }
> {
  override state: { readonly error: Error | undefined } = { error: undefined };

  static getDerivedStateFromError(error: unknown): { readonly error: Error } {
    return { error: error instanceof Error ? error : new Error(String(error)) };
  }

  override render(): ReactNode {
    const { error } = this.state;
    if (error === undefined) return this.props.children;
    return (
      <div className="banner is-error" role="alert">
        <WarnIcon />
        <div>
          <strong>The {this.props.name} cannot be shown.</strong>{' '}
          <span className="banner-detail">{error.message}</span>
        </div>
        <button type="button" className="button small" onClick={() => this.setState({ error: undefined })}>
          Try again
        </button>
      </div>
    );
  }
}
