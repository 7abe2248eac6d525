/**
 * Types for pipes of ten to sixteen operators. RxJS types nine; of more it says `Observable<unknown>`, and
 * a network function would lose its tables' fields. Imported by the package for its types alone.
 */
import type { OperatorFunction } from 'rxjs';

declare module 'rxjs' {
  interface Observable<T> {
    pipe<A, B, C, D, E, F, G, H, I, J>(
      op1: OperatorFunction<T, A>,
      op2: OperatorFunction<A, B>,
      op3: OperatorFunction<B, C>,
      op4: OperatorFunction<C, D>,
      op5: OperatorFunction<D, E>,
      op6: OperatorFunction<E, F>,
      op7: OperatorFunction<F, G>,
      op8: OperatorFunction<G, H>,
      op9: OperatorFunction<H, I>,
      op10: OperatorFunction<I, J>,
    ): Observable<J>;
    pipe<A, B, C, D, E, F, G, H, I, J, K>(
      op1: OperatorFunction<T, A>,
      op2: OperatorFunction<A, B>,
      op3: OperatorFunction<B, C>,
      op4: OperatorFunction<C, D>,
      op5: OperatorFunction<D, E>,
      op6: OperatorFunction<E, F>,
      op7: OperatorFunction<F, G>,
      op8: OperatorFunction<G, H>,
      op9: OperatorFunction<H, I>,
      op10: OperatorFunction<I, J>,
      op11: OperatorFunction<J, K>,
    ): Observable<K>;
    pipe<A, B, C, D, E, F, G, H, I, J, K, L>(
      op1: OperatorFunction<T, A>,
      op2: OperatorFunction<A, B>,
      op3: OperatorFunction<B, C>,
      op4: OperatorFunction<C, D>,
      op5: OperatorFunction<D, E>,
      op6: OperatorFunction<E, F>,
      op7: OperatorFunction<F, G>,
      op8: OperatorFunction<G, H>,
      op9: OperatorFunction<H, I>,
      op10: OperatorFunction<I, J>,
      op11: OperatorFunction<J, K>,
      op12: OperatorFunction<K, L>,
    ): Observable<L>;
    pipe<A, B, C, D, E, F, G, H, I, J, K, L, M>(
      op1: OperatorFunction<T, A>,
      op2: OperatorFunction<A, B>,
      op3: OperatorFunction<B, C>,
      op4: OperatorFunction<C, D>,
      op5: OperatorFunction<D, E>,
      op6: OperatorFunction<E, F>,
      op7: OperatorFunction<F, G>,
      op8: OperatorFunction<G, H>,
      op9: OperatorFunction<H, I>,
      op10: OperatorFunction<I, J>,
      op11: OperatorFunction<J, K>,
      op12: OperatorFunction<K, L>,
      op13: OperatorFunction<L, M>,
    ): Observable<M>;
    pipe<A, B, C, D, E, F, G, H, I, J, K, L, M, N>(
      op1: OperatorFunction<T, A>,
      op2: OperatorFunction<A, B>,
      op3: OperatorFunction<B, C>,
      op4: OperatorFunction<C, D>,
      op5: OperatorFunction<D, E>,
      op6: OperatorFunction<E, F>,
      op7: OperatorFunction<F, G>,
      op8: OperatorFunction<G, H>,
      op9: OperatorFunction<H, I>,
      op10: OperatorFunction<I, J>,
      op11: OperatorFunction<J, K>,
      op12: OperatorFunction<K, L>,
      op13: OperatorFunction<L, M>,
      op14: OperatorFunction<M, N>,
    ): Observable<N>;
    pipe<A, B, C, D, E, F, G, H, I, J, K, L, M, N, O>(
      op1: OperatorFunction<T, A>,
      op2: OperatorFunction<A, B>,
      op3: OperatorFunction<B, C>,
      op4: OperatorFunction<C, D>,
      op5: OperatorFunction<D, E>,
      op6: OperatorFunction<E, F>,
      op7: OperatorFunction<F, G>,
      op8: OperatorFunction<G, H>,
      op9: OperatorFunction<H, I>,
      op10: OperatorFunction<I, J>,
      op11: OperatorFunction<J, K>,
      op12: OperatorFunction<K, L>,
      op13: OperatorFunction<L, M>,
      op14: OperatorFunction<M, N>,
      op15: OperatorFunction<N, O>,
    ): Observable<O>;
    pipe<A, B, C, D, E, F, G, H, I, J, K, L, M, N, O, P>(
      op1: OperatorFunction<T, A>,
      op2: OperatorFunction<A, B>,
      op3: OperatorFunction<B, C>,
      op4: OperatorFunction<C, D>,
      op5: OperatorFunction<D, E>,
      op6: OperatorFunction<E, F>,
      op7: OperatorFunction<F, G>,
      op8: OperatorFunction<G, H>,
      op9: OperatorFunction<H, I>,
      op10: OperatorFunction<I, J>,
      op11: OperatorFunction<J, K>,
      op12: OperatorFunction<K, L>,
      op13: OperatorFunction<L, M>,
      op14: OperatorFunction<M, N>,
      op15: OperatorFunction<N, O>,
      op16: OperatorFunction<O, P>,
    ): Observable<P>;
  }
}
