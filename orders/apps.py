from django.apps import AppConfig


class OrdersConfig(AppConfig):
    name = "orders"

    def ready(self) -> None:
        # The one hook that looks upward: a cart's own pending orders do not make it short of stock.
        from cart.stock import register_held_quantities
        from orders.carts import held_quantities

        register_held_quantities(held_quantities)
